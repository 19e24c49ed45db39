import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { sql, type Sql, execute, queryRow, empty, join, raw, type SqlExecutor } from '../database/sql.js';
import { violatedConstraint, plainText } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';
import { recordAudit, insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import { maskPhoneNumber } from '../wechat/phone-number.js';
import type { LockedUser } from './lock-users.js';
import type { ProfileAuthor } from './user.entity.js';

/** The id under which a host knows a user. */
export const externalIdSchema = plainText(255);

/** Reads an external id that code of the host gives, perhaps of another type. @throws IamError `invalid_request` */
export function readExternalId(given: unknown): string {
  const { success, data, error } = externalIdSchema.safeParse(given);
  if (success) return data;
  throw new IamError('invalid_request', `external id: ${error.issues[0]?.message ?? 'not valid'}`);
}

/** As `readExternalId`, of a hook, whose error is not the client's. @throws IamError `internal_error` */
export function readHookExternalId(hook: 'matchUser' | 'beforeSignUp', given: unknown): string {
  try {
    return readExternalId(given);
  } catch (cause) {
    throw new IamError('internal_error', `the host’s ${hook} hook returned no valid externalId`, { cause });
  }
}

/** Another user has the external id or the phone number. @throws IamError `identity_conflict`, `phone_number_taken`, else the cause */
export function explainTaken(cause: unknown): never {
  const constraint = violatedConstraint(cause);
  if (constraint === 'users_external_id_key')
    throw new IamError('identity_conflict', 'the external id belongs to another user', { cause });
  // Without the cause, in which PostgreSQL quotes the number.
  if (constraint === 'users_phone_number_key')
    throw new IamError('phone_number_taken', 'another user has this phone number');
  throw cause;
}

const idRow = z.object({ id: z.string() });
const externalIdRow = z.object({ external_id: z.string().nullable() });

/** What the host or the person may change of a user, validated already; an undefined member is left as it is. */
export interface UserChanges {
  /** Who writes. WeChat's nickname does not replace theirs, but fills an empty one. */
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
  readonly phone?: VerifiedPhone | undefined;
}

/** A number that WeChat has verified, by E.164, and through which mini program. */
export interface VerifiedPhone {
  readonly phoneNumber: string;
  readonly appid: string;
  /** Of one user alone: the option `phone.unique`. */
  readonly isUnique: boolean;
}

/**
 * CTEs that create a user with the default roles; `new_user` has its id, unless `onConflict` left it out. A role that is
 * being deleted is waited for and left out.
 */
export const newUserCtes = (user: NewUser, onConflict: Sql = empty): Sql => sql`
  new_user AS (
    INSERT INTO iam.users (id, external_id, nickname, avatar_url, nickname_by ${user.phone === undefined ? empty : sql`, phone_number, phone_verified_at, phone_appid, phone_is_unique`})
    VALUES (${user.id}, ${user.externalId}, ${user.nickname}, ${user.avatarUrl}, ${user.nicknameBy} ${user.phone === undefined ? empty : sql`, ${user.phone.phoneNumber}, now(), ${user.phone.appid}, ${user.phone.isUnique}`})
    ${onConflict} RETURNING id
  ), new_roles AS (
    INSERT INTO iam.user_roles (user_id, role)
    SELECT new_user.id, r.name FROM new_user CROSS JOIN iam.roles r WHERE r.is_default FOR KEY SHARE OF r
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
 * Changes a user that the caller has locked. The audit log has the columns, and the values of `external_id`, which ties the
 * user to an account of the host. @throws IamError `identity_conflict`
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

/** Bans a user whom the caller has locked, or lifts the ban. False: nothing changed. */
export async function setUserStatus(
  manager: EntityManager,
  { id, status: before }: LockedUser,
  status: 'active' | 'disabled',
  detail: AuditEntry['detail'] = {},
): Promise<boolean> {
  if (status === before) return false;
  await execute(manager, sql`UPDATE iam.users SET status = ${status}, updated_at = now() WHERE id = ${id}`);
  const action = status === 'disabled' ? 'user.disabled' : 'user.enabled';
  await recordAudit(manager, { action, userId: id, detail });
  return true;
}

function authorOf({ nickname, by }: UserChanges): ProfileAuthor {
  return nickname == null ? 'wechat' : by;
}

/** What the audit log has about a phone number. */
type PhoneEntry = Pick<AuditEntry, 'userId' | 'provider' | 'sessionId' | 'clientId'>;

const keptRow = z.object({ at: z.date() });

/**
 * Assignments of an UPDATE of `iam.users`. A number that the user has already stays as it was stored: it may be of two users since before
 * the host asked for numbers of one user alone, and neither of them shall fail.
 */
export const phoneAssignments = ({ phoneNumber, appid, isUnique }: VerifiedPhone): Sql => sql`
  phone_number = ${phoneNumber}, phone_verified_at = now(), phone_appid = ${appid},
  phone_is_unique = CASE WHEN phone_number = ${phoneNumber} THEN phone_is_unique ELSE ${isUnique} END`;

/** The audit entry of a number that was stored; it is masked. */
export const phoneVerified = ({ phoneNumber, appid }: VerifiedPhone, entry: PhoneEntry): AuditEntry => ({
  ...entry,
  action: 'user.phone_verified',
  detail: { appid, number: maskPhoneNumber(phoneNumber) },
});

const keepSql = (userId: string, phone: VerifiedPhone): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET ${phoneAssignments(phone)}, updated_at = now() WHERE id = ${userId}
    RETURNING phone_verified_at AS at
  ) SELECT at FROM kept`;

/**
 * Stores the number that WeChat has verified. It proves no identity: users are never found or merged by it.
 * @throws IamError `phone_number_taken`
 */
export async function keepPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { phone, ...entry }: PhoneEntry & { readonly phone: VerifiedPhone },
): Promise<Date> {
  const kept = await queryRow(executor, keptRow, keepSql(userId, phone)).catch(explainTaken);
  if (kept === null) throw new Error('the caller has locked the user');
  await recordAudit(executor, phoneVerified(phone, { ...entry, userId }));
  return kept.at;
}

/** Which number is forgotten: one that was verified earlier, or that came through this mini program, as far as that is known. */
interface ForgettableNumber {
  readonly verifiedBefore?: Date;
  readonly appid?: string;
}

const forgetSql = (
  userId: string,
  { verifiedBefore, appid }: ForgettableNumber,
  entry: AuditEntry,
): Sql => sql`
  WITH forgotten AS (
    UPDATE iam.users SET phone_number = NULL, phone_verified_at = NULL, phone_appid = NULL, phone_is_unique = false, updated_at = now()
    WHERE id = ${userId} AND phone_number IS NOT NULL
      AND (${verifiedBefore ?? null}::timestamptz IS NULL OR phone_verified_at < ${eventHorizonSql(verifiedBefore ?? null)})
      AND (${appid ?? null}::text IS NULL OR phone_appid IS NULL OR phone_appid = ${appid ?? null}::text)
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`forgotten`, userId: sql`forgotten.id` })}`;

/** Forgets the number, if there is such a one. */
export async function forgetPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { of = {}, ...entry }: Omit<AuditEntry, 'action' | 'userId'> & { readonly of?: ForgettableNumber } = {},
): Promise<void> {
  await execute(executor, forgetSql(userId, of, { ...entry, action: 'user.phone_removed' }));
}

const requestDeletionSql = (userId: string, graceDays: number): Sql => sql`
  WITH before AS (
    SELECT id, deletion_at FROM iam.users WHERE id = ${userId}
  ), requested AS (
    UPDATE iam.users u SET deletion_at = COALESCE(before.deletion_at, now() + make_interval(days => ${graceDays}::int)), updated_at = now()
    FROM before WHERE u.id = before.id
    RETURNING u.deletion_at
  )
  SELECT requested.deletion_at, before.deletion_at IS NULL AS is_new FROM requested, before`;

const deletionRow = z.object({ deletion_at: z.date(), is_new: z.boolean() });

const cancelDeletionSql = (userId: string, entry: AuditEntry): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET deletion_at = NULL, updated_at = now()
    WHERE id = ${userId} AND deletion_at IS NOT NULL
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`kept`, userId: sql`kept.id` })}`;

/** Stores when a user, whom the caller has locked, is to be erased; a second request keeps the first day. */
export async function requestDeletion(
  executor: SqlExecutor,
  userId: string,
  { graceDays, ...entry }: Pick<AuditEntry, 'sessionId'> & { readonly graceDays: number },
): Promise<Date> {
  const row = await queryRow(executor, deletionRow, requestDeletionSql(userId, graceDays));
  if (row === null) throw new Error('the caller has locked the user');
  const detail = { deletionAt: row.deletion_at.toISOString() };
  if (row.is_new)
    await recordAudit(executor, { ...entry, action: 'user.deletion_requested', userId, detail });
  return row.deletion_at;
}

/** Cancels the erasure that a user has requested, if there is one. */
export async function cancelDeletion(
  executor: SqlExecutor,
  userId: string,
  entry: Pick<AuditEntry, 'sessionId' | 'detail'> = {},
): Promise<void> {
  const audited: AuditEntry = { ...entry, action: 'user.deletion_cancelled' };
  await execute(executor, cancelDeletionSql(userId, audited));
}
