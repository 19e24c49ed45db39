import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { sql, type Sql, execute, queryRow, empty, join, raw, type SqlExecutor } from '../database/sql.js';
import { violatedConstraint, plainText } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';
import { recordAudit, insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import type { ProfileAuthor } from './user.entity.js';

/**
 * `INSERT` that gives a new user the roles that everybody has; composes into the statement that creates the user.
 * `userId` is an expression over `from`. A role that is being deleted is waited for and then left out.
 */
export const defaultRolesSql = (userId: Sql, from: Sql): Sql => sql`
    INSERT INTO iam.user_roles (user_id, role)
    SELECT ${userId}, r.name FROM ${from} CROSS JOIN iam.roles r WHERE r.is_default FOR KEY SHARE OF r`;

/** The id under which a host knows a user. */
export const externalIdSchema = plainText(255);

/** An external id from code of the host, whose types nobody checked. @throws IamError `invalid_request` */
export function readExternalId(given: unknown): string {
  const { success, data, error } = externalIdSchema.safeParse(given);
  if (success) return data;
  throw new IamError('invalid_request', `external id: ${error.issues[0]?.message ?? 'not valid'}`);
}

/** Another user has the external id. @throws IamError `identity_conflict`, else the cause */
export function explainTaken(cause: unknown): never {
  if (violatedConstraint(cause) === 'users_external_id_key')
    throw new IamError('identity_conflict', 'the external id belongs to another user', { cause });
  throw cause;
}

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

/** Where an audit entry about a phone number comes from; the number itself is not in it. */
type PhoneEntry = Pick<AuditEntry, 'provider' | 'sessionId' | 'clientId' | 'detail'>;

const keepSql = (userId: string, phoneNumber: string): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET phone_number = ${phoneNumber}, phone_verified_at = now(), updated_at = now() WHERE id = ${userId}
    RETURNING phone_verified_at AS at
  ) SELECT at FROM kept`;

/** Keeps the number that WeChat has verified; it says nothing about who somebody is, and joins nobody with anybody. */
export async function keepPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { phoneNumber, ...entry }: PhoneEntry & { readonly phoneNumber: string },
): Promise<Date> {
  const kept = await queryRow(executor, z.object({ at: z.date() }), keepSql(userId, phoneNumber));
  if (kept === null) throw new Error('the caller has locked the user');
  await recordAudit(executor, { ...entry, action: 'user.phone_verified', userId });
  return kept.at;
}

const forgetSql = (userId: string, verifiedBefore: Date | null, entry: AuditEntry): Sql => sql`
  WITH forgotten AS (
    UPDATE iam.users SET phone_number = NULL, phone_verified_at = NULL, updated_at = now()
    WHERE id = ${userId} AND phone_number IS NOT NULL
      AND (${verifiedBefore}::timestamptz IS NULL OR phone_verified_at < ${eventHorizonSql(verifiedBefore)})
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`forgotten`, userId: sql`forgotten.id` })}`;

/** Forgets the number, if there is one; with `verifiedBefore`, unless WeChat has verified one since. */
export async function forgetPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { verifiedBefore = null, ...entry }: PhoneEntry & { readonly verifiedBefore?: Date | null },
): Promise<void> {
  await execute(executor, forgetSql(userId, verifiedBefore, { ...entry, action: 'user.phone_removed' }));
}

const wishSql = (userId: string, graceDays: number): Sql => sql`
  WITH asked AS (
    SELECT id, deletion_at FROM iam.users WHERE id = ${userId}
  ), wished AS (
    UPDATE iam.users u SET deletion_at = COALESCE(asked.deletion_at, now() + make_interval(days => ${graceDays}::int)), updated_at = now()
    FROM asked WHERE u.id = asked.id
    RETURNING u.deletion_at
  )
  SELECT wished.deletion_at, asked.deletion_at IS NULL AS is_new FROM wished, asked`;

const wish = z.object({ deletion_at: z.date(), is_new: z.boolean() });

const takeBackSql = (userId: string, entry: AuditEntry): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET deletion_at = NULL, updated_at = now()
    WHERE id = ${userId} AND deletion_at IS NOT NULL
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`kept`, userId: sql`kept.id` })}`;

/** Notes when a user, whom the caller has locked, is to be erased; a wish expressed again keeps its day. */
export async function wishDeletion(
  executor: SqlExecutor,
  userId: string,
  { graceDays, ...entry }: Pick<AuditEntry, 'sessionId'> & { readonly graceDays: number },
): Promise<Date> {
  const row = await queryRow(executor, wish, wishSql(userId, graceDays));
  if (row === null) throw new Error('the caller has locked the user');
  const detail = { deletionAt: row.deletion_at.toISOString() };
  if (row.is_new)
    await recordAudit(executor, { ...entry, action: 'user.deletion_requested', userId, detail });
  return row.deletion_at;
}

/** Takes a user's wish back, if there is one. */
export async function takeBackDeletion(
  executor: SqlExecutor,
  userId: string,
  entry: Pick<AuditEntry, 'sessionId' | 'detail'> = {},
): Promise<void> {
  const taken: AuditEntry = { ...entry, action: 'user.deletion_cancelled' };
  await execute(executor, takeBackSql(userId, taken));
}
