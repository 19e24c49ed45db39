import type { EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import type { MatchedUser } from '../config/iam.hooks.js';
import { hasRow, queryRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { createUserOnce, readHookExternalId } from './change-user.js';
import { lockExisting, type LockedUser } from './lock-users.js';
import type { Subject } from './subject.js';

const idRow = z.object({ id: z.string() });

/**
 * The account that the host's hook `matchUser` names, locked, or the one that it was merged into. An external id that no user has yet is
 * an account of the host that comes by WeChat for the first time: its user is created.
 * @throws IamError `user_disabled`, `identity_conflict`, or `internal_error` for an account that is not there: the hook is wrong
 */
export async function lockMatchedUser(
  manager: EntityManager,
  matched: MatchedUser,
  subject: Subject,
): Promise<string> {
  const user = await lockSurvivor(manager, await idOf(manager, matched));
  if (user.status !== 'active')
    throw new IamError('user_disabled', `user ${user.id}, whom matchUser named, is ${user.status}`);
  if (await hasRow(manager, anotherPersonSql(user.id, subject)))
    throw new IamError(
      'identity_conflict',
      `user ${user.id}, whom matchUser named, is another person of WeChat`,
    );
  return user.id;
}

async function idOf(manager: EntityManager, matched: MatchedUser): Promise<string> {
  if ('userId' in matched) return matched.userId;
  const externalId = readHookExternalId('matchUser', matched.externalId);
  await createUserOnce(manager, externalId);
  const found = await queryRow(
    manager,
    idRow,
    sql`SELECT id FROM iam.users WHERE external_id = ${externalId}`,
  );
  return found?.id ?? '';
}

async function lockSurvivor(manager: EntityManager, id: string): Promise<LockedUser> {
  const [user] = isUuid(id) ? await lockExisting(manager, [id]) : [];
  if (user === undefined)
    throw new IamError('internal_error', 'the host’s matchUser hook named a user who is not there');
  return user.merged_into === null ? user : lockSurvivor(manager, user.merged_into);
}

/**
 * WeChat says that the user is somebody else: they have another identity of the app, or another unionid of the scope. The lock on
 * the user makes a second person whom the hook takes for them wait until the first is there to be seen.
 */
const anotherPersonSql = (userId: string, { appid, openid, unionScope, unionid }: Subject): Sql => sql`
  SELECT 1 FROM iam.identities WHERE user_id = ${userId} AND appid = ${appid} AND openid <> ${openid}
  UNION ALL
  SELECT 1 FROM iam.unions WHERE user_id = ${userId} AND union_scope = ${unionScope} AND unionid <> ${unionid}
  LIMIT 1`;
