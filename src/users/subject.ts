import { z } from 'zod';
import { v7 as uuidv7 } from 'uuid';
import { queryRow, type SqlExecutor, sql, type Sql, empty, join } from '../database/sql.js';
import { violatedConstraint } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';
import type { ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { nowForEventsSql } from '../database/sql-fragments.js';
import {
  explainTaken,
  newUserCtes,
  phoneAssignments,
  phoneVerified,
  type NewUser,
  type VerifiedPhone,
} from './change-user.js';
import { insertAudit } from '../audit/record-audit.js';
import { userStatuses } from './user.entity.js';

/** What a person agreed to before they signed in: the addresses of the documents that they were shown, and when. */
export const consentSchema = z.object({
  terms: z.string().optional(),
  privacy: z.string().optional(),
  agreed_at: z.iso.datetime(),
});

/** See `consentSchema`. */
export type Consent = Readonly<z.infer<typeof consentSchema>>;

/** What WeChat proved of a person: the form in which every flow passes a sign-in to `Users`. */
export const subjectSchema = z.object({
  /** Slug of the provider row. */
  provider: z.string(),
  appKind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  openid: z.string(),
  /** The Open Platform account within which `unionid` means something. */
  unionScope: z.string(),
  unionid: z.string().nullable(),
  /** Null when the profile was not read this time. */
  profile: z.object({ nickname: z.string().nullable(), avatarUrl: z.string().nullable() }).nullable(),
  /** By E.164, where WeChat has verified one with this sign-in. */
  phoneNumber: z.string().optional(),
  /** Whether WeChat says that they follow the Official Account, where it was asked. */
  follows: z.boolean().nullish(),
  /** Only of a person who has yet to be connected to an account, whom no audit entry can name before that. */
  consent: consentSchema.optional(),
});

/** See `subjectSchema`. */
export type Subject = Readonly<z.infer<typeof subjectSchema>>;

const holder = z.object({
  identity_id: z.string().nullable(),
  identity_user_id: z.string().nullable(),
  /** The identity already carries exactly this unionid of this scope. */
  identity_has_union: z.boolean(),
  profile_is_fresh: z.boolean(),
  union_user_id: z.string().nullable(),
  /** The identity's owner, else the union's. */
  status: z.enum(userStatuses).nullable(),
  /** Has no owner, and is covered by the ban of a user who was erased or lost it. */
  is_barred: z.boolean(),
  /** The user of the identity is the person, whom the statement was to record. */
  is_resolved: z.boolean().default(false),
  /** It has recorded them. */
  is_recorded: z.boolean().default(false),
});

/** Who owns a subject now: by `(appid, openid)`, by unionid, by both or by neither. */
export type SubjectMatch = z.infer<typeof holder>;

/** What is known of a subject before its profile is read. */
export type SoughtSubject = Pick<Subject, 'appid' | 'openid' | 'unionScope' | 'unionid' | 'follows'>;

/** Who a person turned out to be, for what is stored about it. */
export interface ResolvedPerson {
  readonly openid: string;
  readonly isNewUser: boolean;
  /** Of a person without a user, who has yet to be connected to an account of the host. */
  readonly toBind: Subject | null;
}

/**
 * CTEs that store a resolution in the statement that makes it. They read `person (user_id)`, which has no row if there is none;
 * `login` has a row if it was there to be changed.
 */
export type RecordResolution = (person: ResolvedPerson) => Sql;

/** How a subject that is known, and brings nothing new, is recorded by the statement that finds it. */
export interface Recording {
  readonly record: RecordResolution;
  /** There is no profile to read, whatever the age of the stored one. */
  readonly isSilent: boolean;
}

/** Whether the profile of the identity `i` is so fresh, in seconds, that it is not read again. */
export const freshProfileSql = (freshness: number): Sql =>
  sql`COALESCE(i.profile_read_at > now() - make_interval(secs => ${freshness}::int), false)`;

const holderSql = (
  { appid, openid, unionScope, unionid, follows = null }: SoughtSubject,
  freshness: number,
): Sql => sql`
  SELECT i.id AS identity_id, i.user_id AS identity_user_id, (${follows}::boolean IS NULL OR i.follows IS NOT NULL) AS follow_is_known,
         EXISTS (SELECT 1 FROM iam.identity_unions c
                 WHERE c.identity_id = i.id AND c.union_scope = ${unionScope} AND c.unionid = ${unionid}) AS identity_has_union,
         ${freshProfileSql(freshness)} AS profile_is_fresh,
         n.user_id AS union_user_id, u.status,
         u.id IS NULL AND EXISTS (
           SELECT 1 FROM iam.barred_subjects b
           WHERE b.subject_hash IN (iam.subject_hash('identity', ${appid}, ${openid}), iam.subject_hash('union', ${unionScope}, ${unionid}))) AS is_barred
  FROM (VALUES (1)) AS one
  LEFT JOIN iam.identities i ON i.appid = ${appid} AND i.openid = ${openid}
  LEFT JOIN iam.unions n ON n.union_scope = ${unionScope} AND n.unionid = ${unionid}
  LEFT JOIN iam.users u ON u.id = COALESCE(i.user_id, n.user_id)`;

/** `person` is the active user of an identity that carries the unionid shown, where nothing else is to be read or written. */
const recognizeSql = (
  holder: Sql,
  { openid, unionid }: SoughtSubject,
  { record, isSilent }: Recording,
): Sql => sql`
  WITH holder AS (${holder}), person AS (
    SELECT identity_user_id AS user_id FROM holder
    WHERE identity_user_id IS NOT NULL AND status = 'active' AND (profile_is_fresh OR ${isSilent}::boolean) AND follow_is_known
      AND (${unionid}::text IS NULL OR (identity_has_union AND union_user_id = identity_user_id))
  ), ${record({ openid, isNewUser: false, toBind: null })}
  SELECT holder.*, EXISTS (SELECT 1 FROM person) AS is_resolved, EXISTS (SELECT 1 FROM login) AS is_recorded FROM holder`;

/** One round trip. `freshness` is the age in seconds up to which a stored profile is not read again. */
export async function findSubject(
  executor: SqlExecutor,
  subject: SoughtSubject,
  { freshness, recording }: { readonly freshness: number; readonly recording?: Recording | undefined },
): Promise<SubjectMatch> {
  const find = holderSql(subject, freshness);
  const statement = recording === undefined ? find : recognizeSql(find, subject, recording);
  const row = await queryRow(executor, holder, statement);
  if (row === null) throw new Error('a VALUES row is always there');
  return row;
}

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
