import { RolesModule } from '../../src/roles/roles.module.js';
import { Module } from '@nestjs/common';
import { readPage } from '../../src/database/list.js';
import { inTransaction } from '../../src/database/sql.js';
import { Roles } from '../../src/roles/roles.service.js';
import { UserRoles } from '../../src/roles/user-roles.service.js';
import { lockUser } from '../../src/users/lock-users.js';
import { getDetailedUser, userList, type DetailedUser, type ListedUser } from '../../src/users/user-list.js';
import type { Arguments, Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam, type Iam } from '../open-iam.js';
import { table } from '../output.js';

/** What the commands about users need; none of it seals or opens anything. */
@Module({ imports: [RolesModule] })
class UserCommandsModule {}

const MOST = 1_000;

/** Finds people by what is known of them. */
export const userFindCommand: Command = {
  name: 'user find',
  description: {
    en: `Finds users by id, openid, unionid, external id or phone number (exactly), or by the beginning of the nickname; the newest first.
When there are more than --limit, it says so.`,
    zh: `按 id、openid、unionid、外部 id、手机号（完整）或昵称的开头查找用户，最新的在前。超过 --limit 时会说明。`,
  },
  parameters: ['query'],
  options: {
    limit: {
      value: 'N',
      summary: {
        en: `at most so many (default 50, up to ${MOST})`,
        zh: `最多这么多（默认 50，上限 ${MOST}）`,
      },
    },
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam user find 小兰',
  async run({ arguments: given, environment }) {
    const [q, limit] = [given.get('query'), limitOf(given)];
    if (q === '') throw new UsageError('<query>: expected something to look for');
    return withIam(environment, { module: UserCommandsModule }, async ({ dataSource }) => {
      const query = { ...userList.query.parse({ q }), limit };
      const { items, next_cursor } = await readPage(dataSource, userList, query);
      return toFindResult(items, next_cursor !== null);
    });
  },
};

function limitOf(given: Arguments): number {
  const limit = Number(given.value('limit') ?? '50');
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    throw new UsageError(`--limit: expected 1 to ${MOST}`);
  return limit;
}

function toFindResult(users: readonly ListedUser[], hasMore: boolean): Result {
  const rows = users.map((user) => [
    user.id,
    user.nickname,
    user.external_id,
    user.status,
    user.roles.join(', '),
    user.identity_count,
    user.created_at,
  ]);
  const heading = ['id', 'nickname', 'external id', 'status', 'roles', 'identities', 'created'];
  const more = hasMore ? `\nThere are more: narrow the query, or raise --limit.` : '';
  const text = users.length === 0 ? 'No such user.' : `${table(heading, rows)}${more}`;
  return { json: { users, has_more: hasMore }, text };
}

/** Shows, gives and takes roles: the way to the first administrator. */
export const userRolesCommand: Command = {
  name: 'user roles',
  description: {
    en: `Shows which roles a user holds, after giving and taking those named: all of it or nothing. The role must exist
(role add). It is in the user's next access token: after a new sign-in at once, else within the life of the token
(15 minutes by default).`,
    zh: `先授予和收回给出的角色，再显示该用户的角色：要么全部生效，要么都不生效。角色必须存在（role add）。
它出现在该用户的下一个访问令牌里：重新登录后立即生效，否则在令牌到期之前生效（默认 15 分钟）。`,
  },
  parameters: ['id'],
  options: {
    add: { value: 'ROLE', summary: { en: 'give this role', zh: '授予这个角色' }, repeated: true },
    remove: { value: 'ROLE', summary: { en: 'take this role', zh: '收回这个角色' }, repeated: true },
  },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam user roles 01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f --add admin',
  async run({ arguments: given, environment }) {
    const [id, add, remove] = [given.get('id'), given.values('add'), given.values('remove')];
    return withIam(environment, { module: UserCommandsModule }, async (iam) => {
      if (add.length + remove.length > 0) await change(iam, { id, add, remove });
      return toRolesResult(await getDetailedUser(iam.dataSource, id));
    });
  },
};

interface Change {
  readonly id: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

async function change({ dataSource, get }: Iam, { id, add, remove }: Change): Promise<void> {
  const roles = get(UserRoles);
  await inTransaction(dataSource, async (manager) => {
    const user = await lockUser(manager, id);
    for (const role of add) await get(Roles).get(role);
    for (const role of add) await roles.assign(manager, user.id, role);
    for (const role of remove) await roles.remove(manager, user.id, role);
  });
}

function toRolesResult({ id, nickname, roles }: DetailedUser): Result {
  const held = roles.length === 0 ? 'no roles' : roles.join(', ');
  return { json: { id, nickname, roles }, text: `${nickname ?? id}: ${held}` };
}
