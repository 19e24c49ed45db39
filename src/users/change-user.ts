import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { execute, queryRow, sql, empty, join, raw, type Sql } from '../database/sql.js';
import { defaultRolesSql } from './default-roles.js';
import { explainTaken } from './external-id.js';
import type { ProfileAuthor } from './user.entity.js';

const idRow = z.object({ id: z.string() });
const externalIdRow = z.object({ external_id: z.string().nullable() });

/** What the host or the person may write of a user, checked already; what is undefined stays. */
export interface UserChanges {
  /** Who writes. WeChat's nickname replaces none of theirs, and fills one that they have emptied. */
  readonly by: 'host' | 'user';
  readonly nickname?: string | null | undefined;
  readonly externalId?: string | null | undefined;
}

/** How a user starts. */
export interface NewUser {
  readonly id: string;
  readonly externalId: string | null;
  readonly nickname: string | null;
  readonly nicknameBy: ProfileAuthor;
  readonly avatarUrl: string | null;
}

/** CTEs that make a user with the roles that everybody has; `new_user` has its id, unless `onConflict` left it out. */
export const newUserCtes = (user: NewUser, onConflict: Sql = empty): Sql => sql`
  new_user AS (
    INSERT INTO iam.users (id, external_id, nickname, avatar_url, nickname_by)
    VALUES (${user.id}, ${user.externalId}, ${user.nickname}, ${user.avatarUrl}, ${user.nicknameBy}) ${onConflict} RETURNING id
  ), new_roles AS (${defaultRolesSql(sql`new_user.id`, sql`new_user`)}
  )`;

/** Creates a user without any identity, with the default roles. @throws IamError `identity_conflict` when the external id is taken */
export async function createUser(manager: EntityManager, user: UserChanges): Promise<string> {
  const { nickname = null, externalId = null } = user;
  const id = uuidv7();
  const row = { id, nickname, externalId, nicknameBy: authorOf(user), avatarUrl: null };
  await insertUser(manager, row).catch(explainTaken);
  return id;
}

/** As `createUser`, unless a user has the external id; waits for another transaction that is about to create the same one. */
export async function createUserOnce(manager: EntityManager, externalId: string): Promise<void> {
  const row = { id: uuidv7(), nickname: null, externalId, nicknameBy: 'wechat', avatarUrl: null } as const;
  await insertUser(manager, row, sql`ON CONFLICT (external_id) DO NOTHING`);
}

async function insertUser(manager: EntityManager, user: NewUser, onConflict?: Sql): Promise<void> {
  const create = sql`WITH ${newUserCtes(user, onConflict)} SELECT id FROM new_user`;
  const row = await queryRow(manager, idRow, create);
  if (row !== null) await recordAudit(manager, { action: 'user.created', userId: user.id });
}

/**
 * Changes a user that the caller has locked. The audit log names the columns, and of `external_id`, which decides whose
 * account of the host this is, the values too. @throws IamError `identity_conflict`
 */
export async function updateUser(manager: EntityManager, id: string, changes: UserChanges): Promise<void> {
  const given = { nickname: changes.nickname, external_id: changes.externalId };
  const changed = Object.entries(given).filter(([, value]) => value !== undefined);
  if (changed.length === 0) return;
  const before = await queryRow(
    manager,
    externalIdRow,
    sql`SELECT external_id FROM iam.users WHERE id = ${id}`,
  );
  const author = changes.nickname === undefined ? {} : { nickname_by: authorOf(changes) };
  const written = [...changed, ...Object.entries(author)];
  const assignments = written.map(([column, value]) => sql`${raw(column)} = ${value}`);
  const update = sql`UPDATE iam.users SET ${join(assignments, ', ')}, updated_at = now() WHERE id = ${id}`;
  await execute(manager, update).catch(explainTaken);
  const detail = {
    changed: changed.map(([column]) => column),
    ...(given.external_id !== undefined && {
      fromExternalId: before?.external_id ?? null,
      toExternalId: given.external_id,
    }),
  };
  await recordAudit(manager, { action: 'user.updated', userId: id, detail });
}

/** Shuts a user out, or lets them in again; the caller has locked them. */
export async function setUserStatus(
  manager: EntityManager,
  id: string,
  status: 'active' | 'disabled',
): Promise<void> {
  await execute(manager, sql`UPDATE iam.users SET status = ${status}, updated_at = now() WHERE id = ${id}`);
}

function authorOf({ nickname, by }: UserChanges): ProfileAuthor {
  return nickname == null ? 'wechat' : by;
}
