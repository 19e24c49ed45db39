import { Module } from '@nestjs/common';
import type { z } from 'zod';
import { viewOfRow } from '../../src/admin/clients/clients.view.js';
import {
  clientChanges,
  clientGrants,
  newClient,
  type ClientChanges,
  type ClientRow,
} from '../../src/oauth/client-columns.js';
import { IamError } from '../../src/errors/iam.error.js';
import { ApiKeys } from '../../src/sessions/api-keys/api-keys.service.js';
import { ClientRows } from '../../src/oauth/client-rows.service.js';
import { toBoolean, type Arguments, type Command, type OptionSpec } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';

/** What the commands about applications need. */
@Module({ providers: [ApiKeys, ClientRows] })
class ClientCommandsModule {}

/** The options of members, with the member of each. */
const members: Readonly<Record<string, OptionSpec & { readonly member: keyof ClientChanges }>> = {
  name: {
    member: 'name',
    value: 'TEXT',
    summary: { en: 'shown to administrators', zh: '显示给管理员的名称' },
  },
  'client-uri': { member: 'client_uri', value: 'URL', summary: { en: 'its home page', zh: '主页' } },
  'logo-uri': { member: 'logo_uri', value: 'URL', summary: { en: 'its logo', zh: '图标' } },
  enabled: {
    member: 'enabled',
    value: 'true|false',
    summary: { en: 'whether people can sign in to it', zh: '是否可以登录' },
  },
  'redirect-uri': {
    member: 'redirect_uris',
    value: 'URL',
    summary: { en: 'where a sign-in may return', zh: '登录后返回的地址' },
    repeated: true,
  },
  origin: {
    member: 'origins',
    value: 'ORIGIN',
    summary: { en: 'whose scripts may call the endpoints', zh: '哪些来源的脚本可以调用端点' },
    repeated: true,
  },
  grant: {
    member: 'grants',
    value: 'GRANT',
    summary: { en: clientGrants.join(', '), zh: clientGrants.join('、') },
    repeated: true,
  },
  provider: {
    member: 'providers',
    value: 'SLUG',
    summary: {
      en: 'through which providers people come to it (default all)',
      zh: '允许哪些身份源的人进入（默认全部）',
    },
    repeated: true,
  },
  tokens: {
    member: 'tokens',
    value: 'bearer|cookie',
    summary: { en: 'how a browser keeps them (default bearer)', zh: '浏览器如何保存令牌（默认 bearer）' },
  },
};
const memberOptions: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  Object.entries(members).map(([name, { value, summary, repeated }]) => [
    name,
    { ...(value !== undefined && { value }), summary, ...(repeated && { repeated }) },
  ]),
);
const clear: OptionSpec = {
  value: 'MEMBER',
  summary: {
    en: 'empty this one: name it as an option, e.g. provider',
    zh: '清空这一项：用选项名，例如 provider',
  },
  repeated: true,
};

const PAGE = 200;

/** Shows every application of the database; of secrets only whether they are set. */
export const clientListCommand: Command = {
  name: 'client list',
  description: {
    en: 'Lists the applications that are registered in the database. Those of the option clients are in your code.',
    zh: `列出登记在数据库中的应用。选项 clients 里的在你的代码中。`,
  },
  parameters: [],
  options: {},
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam client list',
  async run({ environment }) {
    return withIam(environment, { module: ClientCommandsModule }, async (iam) => {
      const clients = await listAll(iam.get(ClientRows));
      const text = clients.length === 0 ? 'None yet: client add registers one.' : clientTable(clients);
      return { json: { clients: clients.map(viewOfRow) }, text };
    });
  },
};

async function listAll(rows: ClientRows): Promise<ClientRow[]> {
  const all: ClientRow[] = [];
  for (let after: string | undefined; ; after = all.at(-1)?.id) {
    const page = await rows.list({ after, limit: PAGE });
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

/** Registers an application; an id that is taken is refused. */
export const clientAddCommand: Command = {
  name: 'client add',
  description: {
    en: `Registers an application; people can sign in to it within 5 seconds on every replica. Its id is the client_id. A server
is confidential: client rotate makes its secret. An id of the option clients would stop the next start of the application.`,
    zh: `登记应用，5 秒内对所有副本生效。它的 id 就是 client_id。服务器用 confidential：密钥由 client rotate 生成。
与选项 clients 相同的 id 会使应用下次无法启动。`,
  },
  parameters: ['id'],
  options: {
    type: {
      value: 'public|confidential',
      summary: {
        en: 'a browser or app, or a server (default public)',
        zh: '浏览器或 App，或服务器（默认 public）',
      },
    },
    ...memberOptions,
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam client add shop --redirect-uri https://shop.example.com/signed-in',
  async run({ arguments: given, environment }) {
    const type = given.value('type');
    const input = { ...readMembers(given), id: given.get('id'), ...(type !== undefined && { type }) };
    const client = parse(newClient, input);
    return withIam(environment, { module: ClientCommandsModule }, async (iam) => {
      const row = await naming(iam.get(ClientRows).create(client));
      const next = row.type === 'confidential' ? `\nNext: client rotate ${row.id}` : '';
      return { json: viewOfRow(row), text: `${clientTable([row])}${next}` };
    });
  },
};

/** Changes what is given. */
export const clientSetCommand: Command = {
  name: 'client set',
  description: {
    en: `Changes an application within 5 seconds on every replica; what is left out stays. What may be given several times takes the
place of all that there was.`,
    zh: `修改应用，5 秒内对所有副本生效；没有给出的不变。可以多次给出的选项会取代原有的全部。`,
  },
  parameters: ['id'],
  options: { ...memberOptions, clear },
  variables: ['DATABASE_URL'],
  example: `npx nestjs-wechat-iam client set shop --enabled false
npx nestjs-wechat-iam client set shop --provider wechat --clear origin`,
  async run({ arguments: given, environment }) {
    const changes = parse(clientChanges, { ...readMembers(given), ...readCleared(given) });
    if (Object.keys(changes).length === 0) throw new UsageError('Nothing to change: give an option');
    const edit = { id: given.get('id'), version: null };
    return withIam(environment, { module: ClientCommandsModule }, async (iam) => {
      const row = await naming(iam.get(ClientRows).change(edit, changes));
      return { json: viewOfRow(row), text: clientTable([row]) };
    });
  },
};

/** Replaces the secret without a moment in which a server is refused. */
export const clientRotateCommand: Command = {
  name: 'client rotate',
  description: {
    en: `Makes a new secret for a confidential application and shows it this once. The one before goes on working, until every server
has the new one and --clear ends it.`,
    zh: `为机密型应用生成新密钥，只显示这一次。原来的继续有效，直到每台服务器都换好并用 --clear 清空。`,
  },
  parameters: ['id'],
  options: {
    clear: {
      summary: { en: 'end the secret before the last rotation instead', zh: '改为清空上一个密钥' },
    },
  },
  variables: ['DATABASE_URL'],
  example: `npx nestjs-wechat-iam client rotate portal
npx nestjs-wechat-iam client rotate portal --clear`,
  async run({ arguments: given, environment }) {
    const edit = { id: given.get('id'), version: null };
    return withIam(environment, { module: ClientCommandsModule }, async (iam) => {
      const rows = iam.get(ClientRows);
      if (given.has('clear')) {
        const row = await rows.clearPrevious(edit);
        return { json: viewOfRow(row), text: `${row.id} has one secret that works.` };
      }
      const { row, secret } = await rows.rotate(edit);
      const next = row.secret_hash_previous === null ? '' : `\nThen: client rotate ${row.id} --clear`;
      return {
        json: { secret, client: viewOfRow(row) },
        text: `${secret}\nIt is not shown again.${next}`,
        isShownOnce: true,
      };
    });
  },
};

function readMembers(given: Arguments): Record<string, unknown> {
  const named = Object.entries(members).filter(([option]) => given.has(option));
  return Object.fromEntries(
    named.map(([option, { member, repeated }]) => [
      member,
      repeated ? given.values(option) : toBoolean(given.value(option) ?? ''),
    ]),
  );
}

function readCleared(given: Arguments): Record<string, unknown> {
  return Object.fromEntries(
    given.values('clear').map((option) => {
      const found = members[option];
      if (found === undefined || given.has(option))
        throw new UsageError(
          `--clear: expected one of ${Object.keys(members).join(', ')}, and not given as well`,
        );
      return [found.member, found.repeated ? [] : null];
    }),
  );
}

/** By the rules of the admin API. @throws UsageError that names the option */
function parse<T>(schema: z.ZodType<T>, input: Record<string, unknown>): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw wrong(String(issue?.path[0]), issue?.message ?? 'not valid');
}

/** Names the option, not the member, in what only all members together show to be wrong. */
async function naming<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    const found = error instanceof IamError && /^invalid_request: (\w+): (.*)$/s.exec(error.message);
    if (!found) throw error;
    const [, member = '', reason = ''] = found;
    throw wrong(member, reason);
  });
}

function wrong(member: string, reason: string): UsageError {
  const [option] = Object.entries(members).find(([, each]) => each.member === member) ?? [member];
  return new UsageError(`${option === 'id' ? '<id>' : `--${option}`}: ${reason}`);
}

/** Applications for people. */
function clientTable(rows: readonly ClientRow[]): string {
  return table(
    ['id', 'name', 'type', 'enabled', 'redirect URIs', 'providers', 'secret'],
    rows.map((row) => [
      row.id,
      row.name,
      row.type,
      row.enabled,
      row.redirect_uris.join(' '),
      row.providers.length === 0 ? 'all' : row.providers.join(' '),
      row.secret_hash !== null,
    ]),
  );
}
