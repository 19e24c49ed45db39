import { toProviderView } from '../../src/admin/providers/providers.view.js';
import { IamUrls } from '../../src/http/iam-urls.service.js';
import {
  factsOf,
  identityProviderInput,
  plainColumnNames,
  secretColumnNames,
  type IdentityProviderInput,
  type PlainColumn,
  type SecretColumn,
} from '../../src/identity-providers/provider-columns.js';
import { ProviderRows, type StoredProvider } from '../../src/identity-providers/provider-rows.service.js';
import { toBoolean, type Call, type OptionSpec } from '../command.js';
import type { Environment } from '../environment.js';
import { UsageError } from '../errors.js';
import { readDocument, readSecret, secretInArguments, SOURCE } from '../input.js';
import type { Iam } from '../open-iam.js';
import { pairs } from '../output.js';

/** The option of a column that is no secret, e.g. `mp-app-id` of `mp_app_id`; null for any other. */
function plainColumnOf(option: string): PlainColumn | null {
  return plainColumnNames.find((column) => option === optionOf(column)) ?? null;
}

/** The column of `mp-app-secret-from`; null for any other option. */
function secretColumnOf(option: string): SecretColumn | null {
  return secretColumnNames.find((column) => option === `${optionOf(column)}-from`) ?? null;
}

/** One option a column; secrets by the place where they are. */
export const providerOptions: Readonly<Record<string, OptionSpec>> = {
  ...Object.fromEntries(
    plainColumnNames.map((column) => [
      optionOf(column),
      {
        value: placeholderOf(column),
        summary: { en: describe(column, 'en'), zh: describe(column, 'zh') },
      },
    ]),
  ),
  ...Object.fromEntries(
    secretColumnNames.map((column) => [
      `${optionOf(column)}-from`,
      { value: SOURCE, summary: { en: `where ${column} is`, zh: `${column} 的来源` } },
    ]),
  ),
  from: {
    value: SOURCE,
    summary: {
      en: 'where a JSON object is, keys as the columns, secrets in clear; `-` is all of standard input',
      zh: 'JSON 对象的来源，键为各列，密钥为明文；`-` 表示整个标准输入',
    },
  },
};

function placeholderOf(column: PlainColumn): string {
  const { default: initial, options } = factsOf(column);
  return typeof initial === 'boolean' ? 'true|false' : (options?.join('|') ?? 'TEXT');
}

function describe(column: PlainColumn, language: 'zh' | 'en'): string {
  const { help, default: initial } = factsOf(column);
  if (initial === undefined) return help[language];
  return language === 'zh' ? `${help.zh}（默认 ${initial}）` : `${help.en} (default ${initial})`;
}

/** Explains why there is no `--mp-app-secret VALUE`. */
export function refuseSecretOption(option: string | null): string | null {
  const secret = secretColumnNames.map(optionOf).find((each) => each === option?.replaceAll('_', '-'));
  return secret === undefined ? null : secretInArguments(`${secret}-from`);
}

function optionOf(column: string): string {
  return column.replaceAll('_', '-');
}

/** The row that a call describes: a document, then the options in the order given; checked by the rules of its columns. */
export async function readProviderRow(call: Call): Promise<IdentityProviderInput> {
  const slug = call.arguments.get('slug');
  const row: Record<string, unknown> = await documentOf(call);
  if (row['slug'] !== undefined && row['slug'] !== slug)
    throw new UsageError('--from: its slug is not the one of the command');
  for (const option of call.arguments.given) {
    const value = call.arguments.value(option) ?? '';
    const [plain, secret] = [plainColumnOf(option), secretColumnOf(option)];
    if (plain !== null) row[plain] = typeof factsOf(plain).default === 'boolean' ? toBoolean(value) : value;
    if (secret !== null) row[secret] = await readSecret(value, option, call);
  }
  for (const column of call.arguments.values('clear')) row[column.replaceAll('-', '_')] = null;
  return checked({ ...row, slug });
}

function checked(row: Readonly<Record<string, unknown>>): IdentityProviderInput {
  const result = identityProviderInput.safeParse(row);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  throw new UsageError(`${where === '' ? 'The row' : where}: ${issue?.message ?? 'not a provider row'}`);
}

/** The parser's own message would quote the document. */
async function documentOf(call: Call): Promise<Record<string, unknown>> {
  const source = call.arguments.value('from');
  if (source === undefined) return {};
  if (source === '-' && readsMoreOf(call))
    throw new UsageError('--from - takes all of standard input: nothing is left for another secret');
  const text = await readDocument(source, 'from', call);
  const document = parse(text);
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new UsageError('--from: expected one JSON object, keys as the columns of a row');
  return { ...document };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readsMoreOf({ arguments: given }: Call): boolean {
  return given.given.some((option) => secretColumnOf(option) !== null && given.value(option) === '-');
}

type View = ReturnType<typeof toProviderView>;

/** A provider as the admin API answers it; no secret is in it. */
export interface ShownProvider {
  readonly view: View;
  /** For `--json`: without what only HTTP needs, and without addresses where `PUBLIC_URL` is not set. */
  readonly json: Readonly<Record<string, unknown>>;
}

const addresses = ['callback_url', 'callback_domain', 'webhook_url'];

/** See `ShownProvider`. */
export function showProvider(stored: StoredProvider, iam: Iam, environment: Environment): ShownProvider {
  const opened = iam.get(ProviderRows).open(stored.row);
  const view = toProviderView(stored, opened, { urls: iam.get(IamUrls), language: 'en' });
  const hidden = ['etag', ...(environment.read('PUBLIC_URL') === undefined ? addresses : [])];
  const members = Object.entries(view).filter(([name]) => !hidden.includes(name));
  return { view, json: Object.fromEntries(members) };
}

/** The row for people: of secrets whether they are set, and what is to be registered with WeChat. */
export function describeProvider({ view, json }: ShownProvider): string {
  const columns = Object.entries(json).filter(isColumn);
  const set = Object.entries(view.secrets).flatMap(([column, isSet]) => (isSet ? [column] : []));
  return [
    pairs({ ...Object.fromEntries(columns), 'secrets set': set.join(', ') }),
    ...describeProblems(view),
    `Next: provider check ${view.slug} asks WeChat about it.`,
  ].join('\n');
}

/** A line for each. */
export function describeProblems({ slug, problems }: View): string[] {
  return problems.map(({ title, detail, remedy }) =>
    `! ${slug}: ${title}. ${detail} ${remedy ?? ''}`.trimEnd(),
  );
}

function isColumn(member: [string, unknown]): member is [string, string | boolean] {
  const [name, value] = member;
  const isShown = name !== 'id' && !name.endsWith('_at');
  return isShown && (typeof value === 'string' || typeof value === 'boolean');
}
