import { z } from 'zod';
import { v7 as uuidv7 } from 'uuid';
import { insertAudit } from '../audit/record-audit.js';
import type { ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { violatedConstraint } from '../database/database-errors.js';
import { nowForEventsSql } from '../database/sql-fragments.js';
import { queryRow, type SqlExecutor, sql, type Sql, empty, join } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import {
  explainTaken,
  newUserCtes,
  phoneAssignments,
  phoneVerified,
  type NewUser,
  type VerifiedPhone,
} from './change-user.js';
import type { RecordResolution, Subject } from './subject.js';

/** Another transaction won a unique constraint: start over and find its result. */
export class LostRace extends Error {
  constructor() {
    super('another sign-in of this person was first');
    this.name = 'LostRace';
  }
}

const created = z.object({ id: z.string(), is_recorded: z.boolean() });

/** The identity of a subject; `isNew`: no user had it before. */
export interface LinkedIdentity {
  readonly id: string;
  readonly isNew: boolean;
}

const linked = z.object({ id: z.string(), is_new: z.boolean(), is_recorded: z.boolean() });

/** Unions before identities, so that racing sign-ins queue at the same constraint in the same order. */
const newUnionSql = ({ unionScope, unionid }: Subject, owner: Sql): Sql => sql`
    INSERT INTO iam.unions (union_scope, unionid, user_id)
    SELECT ${unionScope}::text, ${unionid}::text, id FROM ${owner} WHERE ${unionid}::text IS NOT NULL`;

/** Without a row of `new_union` the unionid is another user's, and so nothing is written. */
const newIdentitySql = (subject: Subject, owner: Sql): Sql => sql`
    INSERT INTO iam.identities AS i (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, profile_read_at,
                                     follows, follow_changed_at)
    SELECT ${uuidv7()}::uuid, id, ${subject.provider}::text, ${subject.appKind}::text, ${subject.appid}::text,
           ${subject.openid}::text, ${subject.unionScope}::text, ${subject.unionid}::text,
           CASE WHEN ${subject.profile !== null}::boolean THEN now() END, ${subject.follows ?? null}::boolean,
           CASE WHEN ${subject.follows ?? null}::boolean IS NOT NULL THEN ${nowForEventsSql} END
    FROM ${owner} WHERE ${subject.unionid}::text IS NULL OR EXISTS (SELECT 1 FROM new_union)`;

/** Begins with a comma, unless there is no number. */
const phoneAudit = (phone: VerifiedPhone | undefined, { provider }: Subject): Sql =>
  phone === undefined
    ? empty
    : sql`, phone_audited AS (${insertAudit(phoneVerified(phone, { provider }), { from: sql`new_identity`, userId: sql`new_identity.user_id` })})`;

const createSql = (subject: Subject, user: NewUser, record: RecordResolution): Sql => sql`
  WITH ${newUserCtes(user)}, new_union AS (${newUnionSql(subject, sql`new_user`)} RETURNING 1
  ), new_identity AS (${newIdentitySql(subject, sql`new_user`)} RETURNING user_id
  ), person AS (SELECT user_id FROM new_identity
  ), ${record({ openid: subject.openid, isNewUser: true, toBind: null })}${phoneAudit(user.phone, subject)}
  SELECT user_id AS id, EXISTS (SELECT 1 FROM login) AS is_recorded FROM person`;

/**
 * Creates a user with its first identity in one statement, which fails as a whole: by a unique constraint when the subject, or
 * the external id, has an owner by now. @throws IamError `user_disabled`
 */
export async function createUserOf(
  executor: SqlExecutor,
  subject: Subject,
  { start, record }: { readonly start: Omit<NewUser, 'id'>; readonly record: RecordResolution },
): Promise<{ readonly userId: string; readonly isRecorded: boolean }> {
  const user = { ...start, id: uuidv7() };
  const row = await queryRow(executor, created, createSql(subject, user, record)).catch(explainRefused);
  if (row === null) throw new Error('an INSERT returns its row');
  return { userId: row.id, isRecorded: row.is_recorded };
}

/** The user that a subject is linked to, and which profile counts. */
export interface LinkTarget {
  readonly userId: string;
  readonly basis: LinkBasis;
  readonly profile: ResolvedIamOptions['profile'];
  readonly phone?: VerifiedPhone | undefined;
}

/** Why the subject belongs to the user: they were proven in another way, or have its identity, its unionid or both. */
type LinkBasis = 'given' | 'identity' | 'union' | 'both';

const held = ({ appid, openid }: Subject): Sql =>
  sql`JOIN iam.identities held ON held.user_id = u.id AND held.appid = ${appid} AND held.openid = ${openid}`;
const shown = ({ unionScope, unionid }: Subject): Sql =>
  sql`JOIN iam.unions shown ON shown.user_id = u.id AND shown.union_scope = ${unionScope} AND shown.unionid = ${unionid}`;

const bases: Readonly<
  Record<LinkBasis, { readonly joins: (subject: Subject) => Sql; readonly locked: Sql }>
> = {
  given: { joins: () => empty, locked: sql`u` },
  identity: { joins: held, locked: sql`u, held` },
  union: { joins: shown, locked: sql`u, shown` },
  both: { joins: (subject) => sql`${held(subject)} ${shown(subject)}`, locked: sql`u, held, shown` },
};

/** A column of the profile, who set it, and WeChat's value. Null replaces nothing. */
interface ProfileColumn {
  readonly column: Sql;
  readonly by: Sql;
  readonly value: string | null;
}

/** WeChat's value replaces one that WeChat set, or any other where the option says that WeChat wins. */
const replaces = ({ by, value }: ProfileColumn, { profile }: LinkTarget): Sql =>
  sql`(${value}::text IS NOT NULL AND (${profile === 'wechat_wins'}::boolean OR ${by} = 'wechat'))`;
const taken = (field: ProfileColumn, target: LinkTarget): Sql => sql`
  ${field.column} = CASE WHEN ${replaces(field, target)} THEN ${field.value}::text ELSE ${field.column} END,
  ${field.by} = CASE WHEN ${replaces(field, target)} THEN 'wechat' ELSE ${field.by} END`;
const changes = (field: ProfileColumn, target: LinkTarget): Sql =>
  sql`(${replaces(field, target)} AND ${field.column} IS DISTINCT FROM ${field.value}::text)`;

/** A profile that was not read changes nothing. The phone number is stored here too: a statement changes a row once. */
function profileSql(subject: Subject, target: LinkTarget): Sql {
  const { nickname = null, avatarUrl = null } = subject.profile ?? {};
  const fields = [
    { column: sql`nickname`, by: sql`nickname_by`, value: nickname },
    { column: sql`avatar_url`, by: sql`avatar_by`, value: avatarUrl },
  ];
  const assigned = fields.map((field) => taken(field, target));
  const changed = join(
    fields.map((field) => changes(field, target)),
    ' OR ',
  );
  const { phone } = target;
  return sql`
    UPDATE iam.users SET ${join(phone === undefined ? assigned : [...assigned, phoneAssignments(phone)])}, updated_at = now()
    WHERE id = ${target.userId} AND EXISTS (SELECT 1 FROM person)
      AND ${phone === undefined ? sql`${subject.profile !== null}::boolean AND (${changed})` : sql`true`}`;
}

/**
 * Locks the user first, as a merge does, then follows the order of `createSql`. `owner` has no row for a user who was merged
 * or disabled meanwhile, or who lost the identity or union: a sign-in under way would undo an unlink. Nothing is written
 * unless all of it is.
 */
const linkSql = (subject: Subject, target: LinkTarget, { record, more = [] }: LinkEffects): Sql => sql`
  WITH owner AS (
    SELECT u.id FROM iam.users u ${bases[target.basis].joins(subject)}
    WHERE u.id = ${target.userId} AND u.status = 'active' FOR KEY SHARE OF ${bases[target.basis].locked}
  ), new_union AS (${newUnionSql(subject, sql`owner`)}
    ON CONFLICT (union_scope, unionid) DO UPDATE SET created_at = unions.created_at WHERE unions.user_id = EXCLUDED.user_id
    RETURNING 1
  ), new_identity AS (${newIdentitySql(subject, sql`owner`)}
    ON CONFLICT (appid, openid) DO UPDATE SET
      union_scope = CASE WHEN EXCLUDED.unionid IS NULL THEN i.union_scope ELSE EXCLUDED.union_scope END,
      unionid = COALESCE(EXCLUDED.unionid, i.unionid),
      profile_read_at = COALESCE(EXCLUDED.profile_read_at, i.profile_read_at),
      follows = COALESCE(i.follows, EXCLUDED.follows),
      follow_changed_at = CASE WHEN i.follows IS NULL THEN EXCLUDED.follow_changed_at ELSE i.follow_changed_at END
    WHERE i.user_id = EXCLUDED.user_id
    RETURNING i.id, i.user_id, i.xmax = 0 AS is_new
  ), person AS (SELECT user_id FROM new_identity), profile AS (${profileSql(subject, target)}
  ) ${join([empty, ...(record === undefined ? [] : [record]), ...more])}${phoneAudit(target.phone, subject)}
  SELECT id, is_new, ${record === undefined ? sql`false` : sql`EXISTS (SELECT 1 FROM login)`} AS is_recorded FROM new_identity`;

/** What is stored with a link: what a `RecordResolution` makes, and CTEs that read `new_identity (is_new)`. */
interface LinkEffects {
  readonly record?: Sql;
  readonly more?: readonly Sql[];
}

/**
 * Makes a subject and its unionid belong to a user and refreshes the profile.
 * @throws LostRace when one belongs to another, the user is no longer active, or the basis is gone; IamError
 * `user_disabled` when a ban covers the subject
 */
export async function linkSubject(
  executor: SqlExecutor,
  subject: Subject,
  target: LinkTarget,
  effects: LinkEffects = {},
): Promise<LinkedIdentity & { readonly isRecorded: boolean }> {
  const row = await queryRow(executor, linked, linkSql(subject, target, effects)).catch(explainRefused);
  if (row === null) throw new LostRace();
  return { id: row.id, isNew: row.is_new, isRecorded: row.is_recorded };
}

/** The database refuses the subjects of a banned user to everybody else, and may refuse a phone number. */
function explainRefused(cause: unknown): never {
  const constraint = violatedConstraint(cause);
  if (constraint === 'identities_barred')
    throw new IamError('user_disabled', 'a ban covers this person', { cause });
  if (constraint === 'users_phone_number_key') explainTaken(cause);
  throw cause;
}
