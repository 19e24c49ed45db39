import type { EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { queryRows, sql } from '../database/sql.js';
import { versionSql } from '../database/sql-fragments.js';
import { IamError } from '../errors/iam.error.js';
import { userStatuses } from './user.entity.js';

/**
 * Without the number, which a hash of the row would betray to who may see the rest of it: what is masked is tried out. A new number
 * changes `phone_verified_at` too.
 */
export const userVersionSql = versionSql('u', 'phone_number');

const locked = z.object({
  id: z.string(),
  status: z.enum(userStatuses),
  merged_into: z.string().nullable(),
  external_id: z.string().nullable(),
  deletion_at: z.date().nullable(),
  version: z.string(),
});

/** A user whose row is locked until the transaction ends. */
export type LockedUser = z.infer<typeof locked>;

/**
 * Locks the users that there are, in id order, so that merges, bans, erasures and every other change of them queue. Merged
 * users are among them.
 */
export async function lockExisting(manager: EntityManager, ids: readonly string[]): Promise<LockedUser[]> {
  const lock = sql`
    SELECT id, status, merged_into, external_id, deletion_at, ${userVersionSql} AS version
    FROM iam.users u WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE`;
  return queryRows(manager, locked, lock);
}

/**
 * As `lockExisting`, where every one of them must be there.
 * @throws IamError `not_found`, for a user merged into another with `merged_into`
 */
export async function lockUsers(manager: EntityManager, ids: readonly string[]): Promise<LockedUser[]> {
  const unknown = ids.find((id) => !isUuid(id));
  if (unknown !== undefined) throw new IamError('not_found', 'not the id of a user');
  const users = await lockExisting(manager, ids);
  for (const id of ids) requireThere(users, id);
  return users;
}

/** As `lockUsers`, of one. */
export async function lockUser(manager: EntityManager, id: string): Promise<LockedUser> {
  const [user] = await lockUsers(manager, [id]);
  if (user === undefined) throw new IamError('not_found', `no user ${id}`);
  return user;
}

function requireThere(users: readonly LockedUser[], id: string): void {
  const user = users.find((each) => each.id === id.toLowerCase());
  if (user === undefined) throw new IamError('not_found', `no user ${id}`);
  if (user.merged_into !== null)
    throw new IamError('not_found', `user ${id} was merged`, { members: { merged_into: user.merged_into } });
}
