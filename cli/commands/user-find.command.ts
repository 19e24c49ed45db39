import { toUserItem } from '../../src/admin/users.view.js';
import { UserList, type ListedUser } from '../../src/users/user-list.service.js';
import type { Arguments } from '../arguments.js';
import type { Command, Result } from '../command.js';
import { UsageError } from '../errors.js';
import { withIam } from '../open-iam.js';
import { table } from '../table.js';
import { userServices } from '../user-services.js';

const MOST = 1_000;

/** Finds people by what is known of them. */
export const userFindCommand: Command = {
  name: 'user find',
  description: `Finds users by id, openid, unionid or external id (exactly), or by the beginning of the nickname; the newest first.
When there are more than --limit, it says so.`,
  parameters: ['query'],
  options: { limit: { value: 'N', summary: `at most so many (default 50, up to ${MOST})` } },
  variables: ['DATABASE_URL'],
  example: 'npx nestjs-wechat-iam user find 小兰',
  async run({ arguments: given, environment }) {
    const [q, limit] = [given.get('query'), limitOf(given)];
    if (q === '') throw new UsageError('<query>: expected something to look for');
    return withIam(environment, { providers: userServices }, async (iam) => {
      const found = await iam.get(UserList).page({ q }, { limit, after: null, order: 'newest' });
      return toResult(found.slice(0, limit), found.length > limit);
    });
  },
};

function limitOf(given: Arguments): number {
  const limit = Number(given.value('limit') ?? '50');
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    throw new UsageError(`--limit: expected 1 to ${MOST}`);
  return limit;
}

function toResult(found: readonly ListedUser[], hasMore: boolean): Result {
  const users = found.map(toUserItem);
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
