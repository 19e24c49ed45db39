import { Module } from '@nestjs/common';
import { readPage } from '../../src/database/list.js';
import { inTransaction } from '../../src/database/sql.js';
import { apiKeyList, newApiKey } from '../../src/sessions/api-keys/api-key.js';
import { ApiKeys } from '../../src/sessions/api-keys/api-keys.service.js';
import type { Arguments, Command } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../output.js';

/** What the commands about API keys need. */
@Module({ providers: [ApiKeys] })
class ApiKeyCommandsModule {}

/** Makes a key for a service. People make theirs on the account page. */
export const apiKeyAddCommand: Command = {
  name: 'api-key add',
  description: {
    en: `Makes an API key for a service, an application of type service, within the permissions of its roles. It is shown once.
People make keys of their own on the account page.`,
    zh: `为服务（类型为 service 的应用）新建 API 密钥，权限不超过其角色。密钥只显示一次。
用户在自己的账号页新建密钥。`,
  },
  parameters: ['service'],
  options: {
    name: { value: 'TEXT', summary: { en: 'what it is for', zh: '用途' } },
    permission: {
      value: 'PERMISSION',
      summary: { en: 'e.g. orders:read or orders:*', zh: '例如 orders:read 或 orders:*' },
      repeated: true,
    },
    'expires-at': {
      value: 'TIME',
      summary: {
        en: 'e.g. 2027-01-31T00:00:00Z; without it, never',
        zh: '例如 2027-01-31T00:00:00Z；不填则不过期',
      },
    },
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam api-key add nightly --name report --permission orders:read',
  async run({ arguments: given, environment }) {
    const key = readNewKey(given);
    return withIam(environment, { module: ApiKeyCommandsModule }, async (iam) => {
      const made = await iam.get(ApiKeys).createForService(given.get('service'), key);
      return {
        json: made,
        text: `${made.key}\nIt is not shown again. To end it: api-key end ${made.api_key.id}`,
        isShownOnce: true,
      };
    });
  },
};

/** By the rules of the admin API. @throws UsageError that names the option */
function readNewKey(given: Arguments) {
  const parsed = newApiKey.safeParse({
    name: given.value('name') ?? '',
    permissions: given.values('permission'),
    expires_at: given.value('expires-at') ?? null,
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const option = { permissions: 'permission', expires_at: 'expires-at' }[String(issue?.path[0])] ?? 'name';
  throw new UsageError(`--${option}: ${issue?.message ?? 'not valid'}`);
}

/** Shows the keys of users and services, the newest first. */
export const apiKeyListCommand: Command = {
  name: 'api-key list',
  description: {
    en: 'Lists the newest 100 API keys that work. The keys themselves are never shown.',
    zh: '列出最新的 100 个有效 API 密钥；从不显示密钥本身。',
  },
  parameters: [],
  options: {
    user: { value: 'ID', summary: { en: 'of this user', zh: '该用户的' } },
    service: { value: 'CLIENT_ID', summary: { en: 'of this service', zh: '该服务的' } },
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam api-key list --service nightly',
  async run({ arguments: given, environment }) {
    const query = apiKeyList.query.safeParse({
      limit: 100,
      live: 'true',
      user: given.value('user'),
      client: given.value('service'),
    });
    if (!query.success) throw new UsageError('--user: expected the id of a user');
    return withIam(environment, { module: ApiKeyCommandsModule }, async ({ dataSource }) => {
      const { items } = await readPage(dataSource, apiKeyList, query.data);
      const rows = items.map((key) => [
        key.id,
        key.client_id ?? key.user_id ?? '',
        key.name,
        `${key.prefix}…`,
        key.permissions.join(' '),
        key.expires_at ?? 'never',
        key.last_used_at ?? 'never',
      ]);
      const head = ['id', 'owner', 'name', 'key', 'permissions', 'expires', 'last used'];
      return { json: { api_keys: items }, text: items.length === 0 ? 'None.' : table(head, rows) };
    });
  },
};

/** Ends a key of anybody. */
export const apiKeyEndCommand: Command = {
  name: 'api-key end',
  description: {
    en: 'Ends an API key: every replica refuses it within five seconds.',
    zh: '停用一个 API 密钥：所有副本五秒之内拒绝它。',
  },
  parameters: ['id'],
  options: {},
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam api-key end 0198c0de-0000-7000-8000-000000000005',
  async run({ arguments: given, environment }) {
    const id = given.get('id');
    return withIam(environment, { module: ApiKeyCommandsModule }, async (iam) => {
      const keys = iam.get(ApiKeys);
      const { owner } = await keys.get(id);
      await inTransaction(iam.dataSource, (manager) =>
        keys.end(manager, owner, id, { reason: 'ended_by_admin' }),
      );
      return { json: { ended: id }, text: 'Ended.' };
    });
  },
};
