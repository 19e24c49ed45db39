import {
  identityProviderInput,
  type IdentityProviderInput,
} from '../src/identity-providers/identity-provider.input.js';
import type { Call } from './command.js';
import { UsageError } from './errors.js';
import { plainColumnOf, secretColumnOf } from './provider-options.js';
import { readDocument, readSecret } from './secret-source.js';
import { toBoolean } from './to-boolean.js';

/** The row that a call describes: a document, then the options in the order given; checked by the rules of its columns. */
export async function readProviderRow(call: Call): Promise<IdentityProviderInput> {
  const slug = call.arguments.get('slug');
  const row: Record<string, unknown> = await documentOf(call);
  if (row['slug'] !== undefined && row['slug'] !== slug)
    throw new UsageError('--from: its slug is not the one of the command');
  for (const option of call.arguments.given) {
    const value = call.arguments.value(option) ?? '';
    const [plain, secret] = [plainColumnOf(option), secretColumnOf(option)];
    if (plain !== null) row[plain] = isSwitch(plain) ? toBoolean(value) : value;
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

function isSwitch(column: string): boolean {
  return column === 'enabled' || column === 'qr_enabled';
}
