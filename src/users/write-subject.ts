import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { violatedConstraint } from '../database/database-errors.js';
import { queryRow, type SqlExecutor } from '../database/query-rows.js';
import { IamError } from '../iam.error.js';
import type { ResolvedIamOptions } from '../iam.resolved-options.js';
import { defaultRolesSql } from '../roles/default-roles.js';
import type { Subject } from './subject.js';
import type { ProfileAuthor } from './user.entity.js';

/** Another transaction won a unique constraint: start over and find its result. */
export class LostRace extends Error {
  constructor() {
    super('another sign-in of this person was first');
    this.name = 'LostRace';
  }
}

/** How a new user starts. */
export interface NewUser {
  readonly externalId: string | null;
  readonly nickname: string | null;
  readonly nicknameBy: ProfileAuthor;
  readonly avatarUrl: string | null;
}

const written = z.object({ identities: z.number(), unions: z.number() });

/** The identity that a subject is kept as; `isNew`: it was nobody's before. */
export interface LinkedIdentity {
  readonly id: string;
  readonly isNew: boolean;
}

const linked = z.object({
  identity_id: z.string().nullable(),
  is_new: z.boolean().nullable(),
  unions: z.number(),
});

const profileReadAt = `CASE WHEN $9 THEN now() END`;

/** One statement, unions before identities, so that racing sign-ins queue at the same constraint in the same order. */
const createSql = `
  WITH new_user AS (
    INSERT INTO iam.users (id, external_id, nickname, avatar_url, nickname_by) VALUES ($1, $10, $11, $12, $13)
  ), new_roles AS (${defaultRolesSql('$1::uuid')}
  ), new_union AS (
    INSERT INTO iam.unions (union_scope, unionid, user_id) SELECT $6, $7::text, $1 WHERE $7::text IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING 1
  ), new_identity AS (
    INSERT INTO iam.identities (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, profile_read_at)
    VALUES ($2, $1, $3, $8, $4, $5, $6, $7, ${profileReadAt})
    ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT (SELECT count(*) FROM new_union)::int AS unions, (SELECT count(*) FROM new_identity)::int AS identities`;

/** Creates a user with its first identity. @throws LostRace when the subject has an owner by now, IamError `user_disabled` */
export async function createUserOf(executor: SqlExecutor, subject: Subject, user: NewUser): Promise<string> {
  const userId = uuidv7();
  const row = await queryRow(executor, written, createSql, [
    userId,
    ...subjectParameters(subject),
    user.externalId,
    user.nickname,
    user.avatarUrl,
    user.nicknameBy,
  ]).catch(explainBarred);
  if (row?.identities !== 1 || row.unions !== (subject.unionid === null ? 0 : 1)) throw new LostRace();
  return userId;
}

/** Whose a subject becomes, and which profile counts. */
export interface LinkTarget {
  readonly userId: string;
  readonly basis: LinkBasis;
  readonly profile: ResolvedIamOptions['profile'];
}

/** Why a subject is a user's: they were proven in another way, or have its identity, its unionid or both. */
export type LinkBasis = 'given' | 'identity' | 'union' | 'both';

const heldIdentity =
  'JOIN iam.identities held ON held.user_id = u.id AND held.appid = $4 AND held.openid = $5';
const heldUnion =
  'JOIN iam.unions shown ON shown.user_id = u.id AND shown.union_scope = $6 AND shown.unionid = $7';

const bases: Readonly<Record<LinkBasis, { readonly joins: string; readonly locked: string }>> = {
  given: { joins: '', locked: 'u' },
  identity: { joins: heldIdentity, locked: 'u, held' },
  union: { joins: heldUnion, locked: 'u, shown' },
  both: { joins: `${heldIdentity} ${heldUnion}`, locked: 'u, held, shown' },
};

/** WeChat's value replaces its own, or anybody's where `$12` says that WeChat wins; an empty one replaces nothing. */
const replaces = (by: string, value: string) =>
  `(${value}::text IS NOT NULL AND ($12::boolean OR ${by} = 'wechat'))`;
const taken = (column: string, by: string, value: string) =>
  `${column} = CASE WHEN ${replaces(by, value)} THEN ${value}::text ELSE ${column} END,
   ${by} = CASE WHEN ${replaces(by, value)} THEN 'wechat' ELSE ${by} END`;
const changes = (column: string, by: string, value: string) =>
  `(${replaces(by, value)} AND ${column} IS DISTINCT FROM ${value}::text)`;

/**
 * `owner` locks the user first, as a merge does, and excludes one that was merged or disabled since it was found, and one
 * whose identity or union was taken away: else a sign-in under way would undo an unlink. Then the same order as above.
 */
const linkSql = (basis: LinkBasis) => `
  WITH owner AS (
    SELECT u.id FROM iam.users u ${bases[basis].joins}
    WHERE u.id = $1 AND u.status = 'active' FOR KEY SHARE OF ${bases[basis].locked}
  ), new_union AS (
    INSERT INTO iam.unions (union_scope, unionid, user_id) SELECT $6::text, $7::text, id FROM owner WHERE $7::text IS NOT NULL
    ON CONFLICT (union_scope, unionid) DO UPDATE SET created_at = unions.created_at WHERE unions.user_id = EXCLUDED.user_id
    RETURNING 1
  ), new_identity AS (
    INSERT INTO iam.identities AS i (id, user_id, provider, app_kind, appid, openid, union_scope, unionid, profile_read_at)
    SELECT $2::uuid, id, $3::text, $8::text, $4::text, $5::text, $6::text, $7::text, ${profileReadAt} FROM owner
    ON CONFLICT (appid, openid) DO UPDATE SET
      union_scope = CASE WHEN EXCLUDED.unionid IS NULL THEN i.union_scope ELSE EXCLUDED.union_scope END,
      unionid = COALESCE(EXCLUDED.unionid, i.unionid),
      profile_read_at = COALESCE(EXCLUDED.profile_read_at, i.profile_read_at)
    WHERE i.user_id = EXCLUDED.user_id
    RETURNING i.id, i.xmax = 0 AS is_new
  ), profile AS (
    UPDATE iam.users SET ${taken('nickname', 'nickname_by', '$10')}, ${taken('avatar_url', 'avatar_by', '$11')}, updated_at = now()
    WHERE id = $1 AND $9 AND (${changes('nickname', 'nickname_by', '$10')} OR ${changes('avatar_url', 'avatar_by', '$11')})
  )
  SELECT (SELECT count(*) FROM new_union)::int AS unions, (SELECT id FROM new_identity) AS identity_id,
         (SELECT is_new FROM new_identity) AS is_new`;

/**
 * Makes a subject and its unionid belong to a user and refreshes the profile.
 * @throws LostRace when one belongs to another, the user is no longer active, or the basis is gone; IamError
 * `user_disabled` when a ban covers the subject
 */
export async function linkSubject(
  executor: SqlExecutor,
  subject: Subject,
  { userId, basis, profile }: LinkTarget,
): Promise<LinkedIdentity> {
  const row = await queryRow(executor, linked, linkSql(basis), [
    userId,
    ...subjectParameters(subject),
    subject.profile?.nickname ?? null,
    subject.profile?.avatarUrl ?? null,
    profile === 'wechat_wins',
  ]).catch(explainBarred);
  if (row?.identity_id == null || row.unions !== (subject.unionid === null ? 0 : 1)) throw new LostRace();
  return { id: row.identity_id, isNew: row.is_new === true };
}

/** Parameters $2 to $9 of both statements. */
function subjectParameters(subject: Subject): unknown[] {
  return [
    uuidv7(),
    subject.provider,
    subject.appid,
    subject.openid,
    subject.unionScope,
    subject.unionid,
    subject.appKind,
    subject.profile !== null,
  ];
}

/** The database refuses the subjects of a banned user to everybody else. */
function explainBarred(cause: unknown): never {
  if (violatedConstraint(cause) === 'identities_barred')
    throw new IamError('user_disabled', 'a ban covers this person', { cause });
  throw cause;
}
