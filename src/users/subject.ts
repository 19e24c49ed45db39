import { z } from 'zod';
import { queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';
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
