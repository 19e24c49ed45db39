import { Module } from '@nestjs/common';
import {
  identityProviderChanges,
  type IdentityProviderChanges,
  isSharedSecret,
  rotatableSecrets,
  type RotatableSecret,
} from '../../src/identity-providers/provider-columns.js';
import { ProviderRows, type StoredProvider } from '../../src/identity-providers/provider-rows.service.js';
import { HttpModule } from '../../src/http/http.module.js';
import { IdentityProvidersModule } from '../../src/identity-providers/identity-providers.module.js';
import { KeysModule } from '../../src/keys/keys.module.js';
import { Reencryption } from '../../src/keys/reencryption.service.js';
import type { Call, Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { readSecret, secretInArguments, SOURCE, sourceHelp } from '../input.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';
import { requireOwnKeys } from '../own-keys.js';
import {
  describeProblems,
  describeProvider,
  providerOptions,
  readProviderRow,
  refuseSecretOption,
  showProvider,
  type ShownProvider,
} from './provider-row.js';

/** What the commands about rows need. */
@Module({ imports: [HttpModule, IdentityProvidersModule, KeysModule] })
class ProviderCommandsModule {}

const PAGE = 200;

/** Shows every row; of secrets only whether they are set. */
export const providerListCommand: Command = {
  name: 'provider list',
  description: {
    en: 'Lists the identity providers, and what can be seen to be wrong without asking WeChat. Secrets are never shown.',
    zh: `列出身份源，以及不问微信就能看出的问题。从不显示密钥。`,
  },
  parameters: [],
  options: {},
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: 'npx nestjs-wechat-iam provider list',
  async run({ environment }) {
    const options = environment.options({ needsPublicUrl: false });
    return withIam(environment, { module: ProviderCommandsModule, options }, async (iam) => {
      const stored = await listAll(iam.get(ProviderRows));
      return toListResult(stored.map((each) => showProvider(each, iam, environment)));
    });
  },
};

async function listAll(providers: ProviderRows): Promise<StoredProvider[]> {
  const all: StoredProvider[] = [];
  for (let after: string | undefined; ; after = all.at(-1)?.row.slug) {
    const page = await providers.list({ after, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

function toListResult(providers: readonly ShownProvider[]): Result {
  const heading = ['slug', 'name', 'enabled', 'open', 'mp', 'mini', 'mobile', 'qr', 'sign-up'];
  const rows = providers.map(({ view }) => [
    view.slug,
    view.name,
    view.enabled,
    view.open_app_id,
    view.mp_app_id,
    view.mini_app_id,
    view.mobile_app_id,
    view.qr_enabled,
    view.sign_up,
  ]);
  const problems = providers.flatMap(({ view }) => describeProblems(view));
  const text = providers.length === 0 ? 'None yet: provider add makes one.' : table(heading, rows);
  return { json: { providers: providers.map(({ json }) => json) }, text: [text, ...problems].join('\n') };
}

/** Makes a row; a slug that is taken is refused. */
export const providerAddCommand: Command = {
  name: 'provider add',
  description: {
    en: `Creates an identity provider; it acts within 5 seconds on every replica. The columns are explained in
docs/reference/provider-columns.md.\n\n${sourceHelp.en}`,
    zh: `新建身份源，5 秒内对所有副本生效。各列的说明见 docs/reference/provider-columns.zh-CN.md。\n\n${sourceHelp.zh}`,
  },
  parameters: ['slug'],
  options: providerOptions,
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: `npx nestjs-wechat-iam provider add wechat --mp-app-id wx0123456789abcdef --mp-app-secret-from -
npx nestjs-wechat-iam provider add wechat --from row.json`,
  refuse: refuseSecretOption,
  async run(call) {
    const { environment } = call;
    const options = environment.options({ needsPublicUrl: false });
    const row = await readProviderRow(call);
    return withIam(environment, { module: ProviderCommandsModule, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reencryption));
      const shown = showProvider(await iam.get(ProviderRows).create(row), iam, environment);
      return { json: shown.json, text: describeProvider(shown) };
    });
  },
};

/** Changes the columns that are given; the others stay. */
export const providerSetCommand: Command = {
  name: 'provider set',
  description: {
    en: `Changes the columns given of an identity provider; it acts within 5 seconds on every replica. To change a Token,
EncodingAESKey or AppSecret that is in use, see provider rotate.\n\n${sourceHelp.en}`,
    zh: `修改身份源中给出的列，5 秒内对所有副本生效。更换正在使用的 Token、EncodingAESKey 或 AppSecret 请用 provider rotate。\n\n${sourceHelp.zh}`,
  },
  parameters: ['slug'],
  options: {
    ...providerOptions,
    clear: {
      value: 'COLUMN',
      summary: { en: 'empty this column, e.g. mp_token_previous', zh: '清空这一列，例如 mp_token_previous' },
      repeated: true,
    },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: 'npx nestjs-wechat-iam provider set wechat --qr-enabled true --clear mp_token_previous',
  refuse: refuseSecretOption,
  async run(call) {
    const { environment } = call;
    const options = environment.options({ needsPublicUrl: false });
    const { slug, ...changes } = await readProviderRow(call);
    if (Object.keys(changes).length === 0) throw new UsageError('Nothing to change: give a column');
    return withIam(environment, { module: ProviderCommandsModule, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reencryption));
      const stored = await iam.get(ProviderRows).change({ slug, version: null }, changes);
      const shown = showProvider(stored, iam, environment);
      return { json: shown.json, text: describeProvider(shown) };
    });
  },
};

/** Replaces a secret without a moment in which WeChat's messages are refused. */
export const providerRotateCommand: Command = {
  name: 'provider rotate',
  description: {
    en: `Replaces a secret: ${rotatableSecrets.join(', ')}.
A Token or EncodingAESKey is generated and shown this once; the one before goes on working, until you have entered the
new one in WeChat's console and cleared it (provider set <slug> --clear mp_token_previous). An AppSecret is WeChat's to
choose: --from says where the new one is.\n\n${sourceHelp.en}`,
    zh: `更换一个密钥：${rotatableSecrets.join('、')}。
Token 和 EncodingAESKey 由命令生成，只显示这一次；旧值继续有效，直到你在微信后台填好新值并清空旧值
（provider set <slug> --clear mp_token_previous）。AppSecret 由微信决定：--from 说明新的在哪里。\n\n${sourceHelp.zh}`,
  },
  parameters: ['slug', 'column'],
  options: {
    from: {
      value: SOURCE,
      summary: {
        en: 'where the new value is; left out, a Token or EncodingAESKey is generated',
        zh: '新值的来源；不给出时生成 Token 或 EncodingAESKey',
      },
    },
  },
  variables: ['DATABASE_URL', 'IAM_KEYS', 'PUBLIC_URL', 'IAM_PATH'],
  example: `npx nestjs-wechat-iam provider rotate wechat mp_token
npx nestjs-wechat-iam provider rotate wechat mp_app_secret --from env:NEW_SECRET`,
  refuse: (option) =>
    option === null || /secret|token|key|value/.test(option) ? secretInArguments('from') : null,
  async run(call) {
    const { arguments: given, environment } = call;
    const [slug, column] = [given.get('slug'), columnOf(given.get('column'))];
    const options = environment.options({ needsPublicUrl: false });
    const known = await valueFor(column, call);
    return withIam(environment, { module: ProviderCommandsModule, options }, async (iam) => {
      await requireOwnKeys(iam.get(Reencryption));
      const { stored, value } = await iam.get(ProviderRows).rotate({ slug, version: null }, column, known);
      return toRotateResult(
        showProvider(stored, iam, environment),
        column,
        known === undefined ? value : null,
      );
    });
  },
};

function columnOf(given: string): RotatableSecret {
  const named = given.replaceAll('-', '_');
  const column = rotatableSecrets.find((each) => each === named);
  if (column !== undefined) return column;
  const begun = named === '' ? undefined : rotatableSecrets.find((each) => each.startsWith(named));
  const hint = begun === undefined ? `expected ${rotatableSecrets.join(', ')}` : `did you mean ${begun}?`;
  throw new UsageError(`<column>: ${hint}`);
}

async function valueFor(column: RotatableSecret, call: Call): Promise<string | undefined> {
  const source = call.arguments.value('from');
  if (source !== undefined) return checked(column, await readSecret(source, 'from', call));
  if (!isSharedSecret(column))
    throw new UsageError(`${column} comes from WeChat: say where it is with --from`);
  return undefined;
}

function checked(column: RotatableSecret, value: string): string {
  const changes: IdentityProviderChanges = { [column]: value };
  const result = identityProviderChanges.safeParse(changes);
  if (!result.success) throw new UsageError(`${column}: ${result.error.issues[0]?.message ?? 'not valid'}`);
  return result.data[column] ?? value;
}

function toRotateResult(
  { json: provider, view }: ShownProvider,
  secret: RotatableSecret,
  generated: string | null,
): Result {
  if (generated === null)
    return { json: { secret, provider }, text: `${secret} of ${view.slug} is replaced.` };
  const console = "Enter it in WeChat's console (服务器配置)";
  const previous = `provider set ${view.slug} --clear ${secret}_previous`;
  return {
    json: { secret, value: generated, provider },
    text: `${generated}\n${console}, then: ${previous}`,
    isShownOnce: true,
  };
}
