import { Module } from '@nestjs/common';
import { viewOfRow } from '../../src/admin/clients/clients.view.js';
import { clientChanges, newClient, type ClientRow } from '../../src/oauth/clients/client-columns.js';
import { OutgoingCalls } from '../../src/http/outgoing-calls.service.js';
import { ClientRows } from '../../src/oauth/clients/client-rows.service.js';
import { SectorDocuments } from '../../src/oauth/clients/sector-documents.service.js';
import { ApiKeys } from '../../src/sessions/api-keys/api-keys.service.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';
import { clear, memberOptions, naming, parse, readCleared, readMembers } from './client-members.js';

/** Reads the documents of sectors, at public addresses only. */
const callsToPublic = () =>
  new OutgoingCalls({ wechat: { allowLoopback: false, allowPrivateEndpoints: false } });

/** What the commands about applications need. */
@Module({
  providers: [ApiKeys, ClientRows, SectorDocuments, { provide: OutgoingCalls, useFactory: callsToPublic }],
})
class ClientCommandsModule {}

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
(--type confidential) or machine (--type service) gets its secret by client rotate. An id of the option clients would stop the
next start of the application.`,
    zh: `登记应用，5 秒内对所有副本生效。它的 id 就是 client_id。服务器（--type confidential）与机器
（--type service）的密钥由 client rotate 生成。与选项 clients 相同的 id 会使应用下次无法启动。`,
  },
  parameters: ['id'],
  options: {
    type: {
      value: 'public|confidential|service',
      summary: {
        en: 'public: a browser or app, which can keep no secret; confidential: a server; service: a machine, to which nobody signs in (default public)',
        zh: 'public：保不住密钥的浏览器或 App；confidential：服务器；service：没有人登录的机器（默认 public）',
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
      const next = row.type === 'public' ? '' : `\nNext: client rotate ${row.id}`;
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
    en: `Makes a new secret for a server (confidential) or machine (service) and shows it this once. The one before goes on working,
until every server has the new one and --clear ends it. A public application has none.`,
    zh: `为服务器（confidential）或机器（service）生成新密钥，只显示这一次。原来的继续有效，直到每台服务器都换好并用 --clear 清空。
公开型（public）应用没有密钥。`,
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
