import { z } from 'zod';
import type { IamSessionLimit } from '../config/iam.options.js';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { pkceChallenge } from '../crypto/hash.js';
import { empty, sql, raw, type Sql } from '../database/sql.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import {
  admitsSql,
  type Admission,
  excessRow,
  excessSql,
  loginProvenAtSql,
  personOfSql,
  rolesOfSql,
  SESSION_LIMIT,
  tokenColumnsSql,
  tokenRow,
  type ReuseGrace,
  type TokenBounds,
} from '../sessions/session-statements.js';

/** What a client brings to `/token` for a code. */
export interface CodeRedemption {
  readonly code: string;
  readonly clientId: string;
  readonly redirectUri: string | undefined;
  /** Undefined for a server whose `nonce` takes its place. */
  readonly codeVerifier: string | undefined;
  /** Of an application of the database. */
  readonly admission?: Admission | undefined;
}

/** A login before it is redeemed. */
export const redeemable = z.object({
  status: z.string(),
  /** The error code for a sender that may not redeem it, in any status; null for the owner. */
  refusal: z.string().nullable(),
  /** Null for a person without a user. */
  user_status: z.string().nullable(),
  is_live: z.boolean(),
  ...excessRow.shape,
});
export type Redeemable = z.infer<typeof redeemable>;

/** The columns of `roomFor`: absent without a limit, null where the statement did not get that far. */
const roomRow = z.object({
  has_room: z.boolean().nullish(),
  ended: z.array(z.string()).nullish(),
  owner_id: z.string().nullish(),
});

export const held = redeemable.extend({ is_held: z.boolean() });
export const begun = tokenRow.extend({
  provider: z.string(),
  is_new_user: z.boolean(),
  nonce: z.string().nullable(),
});
export const notBegun = begun
  .pick({ client_id: true, provider: true, method: true })
  .extend({ ...redeemable.shape, ...roomRow.shape });
export const begunOrNot = z.union([begun.extend(notBegun.shape), notBegun]);
export const repeated = begun.extend({ session_id: z.string(), generation: z.number() });

/** Whose login it is, also when the user was merged while it was being written. */
const ownerOf = (userId: Sql): Sql => sql`
  iam.users o JOIN iam.users u ON u.id = COALESCE(o.merged_into, o.id) WHERE o.id = ${userId}`;

/** A login, and whether a request that brings its code may redeem it for this; without a code, the caller has checked that. */
export const redeemableSql = (
  loginId: string,
  redemption: CodeRedemption | null,
  bounds?: TokenBounds,
): Sql => sql`
  SELECT l.*, ${loginProvenAtSql('l')} AS proven_at, COALESCE(l.redeem_before > now(), false) AS is_live,
         (SELECT u.status FROM ${ownerOf(sql`l.user_id`)}) AS user_status, r.refusal, r.excess,
         l.status = 'authenticated' AND l.redeem_before > now() AND r.refusal IS NULL AND r.excess IS NULL AS is_open
  FROM iam.logins l, LATERAL (SELECT ${redemption === null ? sql`NULL::text` : refusalSql(redemption)} AS refusal,
    ${bounds === undefined ? sql`NULL::text` : excessSql('l', bounds)} AS excess) r
  WHERE l.id = ${loginId}`;

/** What the login's challenge must be. Without a verifier that of its nonce; never that of a login without one, which has no challenge either. */
const challengeSql = (codeVerifier: string | undefined): Sql =>
  codeVerifier === undefined
    ? sql`COALESCE(translate(encode(sha256(convert_to(l.nonce, 'UTF8')), 'base64'), '+/=', '-_'), '')`
    : sql`${pkceChallenge(codeVerifier)}`;

/** Client, redirect_uri and PKCE (RFC 7636 §4.6, RFC 9700 §4.5); see decision 96. */
const refusalSql = ({ clientId, redirectUri, codeVerifier, admission }: CodeRedemption): Sql => sql`
  CASE WHEN l.client_id <> ${clientId} THEN 'the code belongs to another client'
       ${admission === undefined ? empty : sql`WHEN NOT ${admitsSql('l', admission)} THEN 'the application admits nobody by this code'`}
       WHEN ${redirectUri ?? null}::text IS NOT NULL AND l.redirect_uri IS DISTINCT FROM ${redirectUri ?? null}
         THEN 'redirect_uri differs from the authorization request'
       WHEN l.code_challenge IS DISTINCT FROM ${challengeSql(codeVerifier)} THEN 'code_verifier does not match' END`;

const redeemableColumns = raw(
  Object.keys(redeemable.shape)
    .map((column) => `login.${column}`)
    .join(', '),
);

/** Lets an authenticated login wait for the decision of its person. */
export const holdLoginSql = (loginId: string, redemption: CodeRedemption, seconds: number): Sql => sql`
  WITH login AS (${redeemableSql(loginId, redemption)}), held AS (
    UPDATE iam.logins l SET redeem_before = GREATEST(l.redeem_before, now() + make_interval(secs => ${seconds}::int))
    FROM login WHERE l.id = login.id AND login.is_open AND l.status = 'authenticated' AND l.redeem_before > now() RETURNING l.id
  ) SELECT ${redeemableColumns}, EXISTS (SELECT 1 FROM held) AS is_held FROM login`;

const started: AuditEntry = { action: 'session.started' };

/** Where a session begins, and for what request. */
export interface SessionPlace {
  readonly origin: RequestOrigin;
  /** Of its first token; undefined: all that was granted. */
  readonly bounds?: TokenBounds;
  /** The session that it replaces in its browser. */
  readonly replaces?: string | null;
}

/** Parts of the statement that begins a session of the user `u`. */
interface ConsentParts {
  readonly from: Sql;
  readonly on: Sql;
  readonly lock: Sql;
}

/**
 * Where a person has to agree, they cannot withdraw while the session begins. They may agree again: `giveSql` has the login then and
 * waits for the consent, with any stronger lock for a session that waits for the login.
 */
export function lockConsent(admission: Admission | undefined): ConsentParts {
  if (admission?.needsConsent !== true) return { from: empty, on: empty, lock: empty };
  const on = sql` AND agreed.user_id = u.id AND agreed.client_id = login.client_id`;
  return { from: sql`, iam.consents agreed`, on, lock: sql` FOR KEY SHARE OF agreed` };
}

/** A session that is about to begin, and the limits that it must be within. */
interface RoomSeeker {
  readonly loginId: string;
  readonly limit: IamSessionLimit | undefined;
  /** The session that it replaces in its browser, which does not count. */
  readonly replaces?: string | null;
  /** Ids of the clients that share the session of a browser: only a session of one of these is replaced. */
  readonly sharing: readonly string[];
}

/** Parts of the statement that begins a session. */
interface RoomParts {
  /** Of the user `u` and the identity `i`. */
  readonly lock: Sql;
  /** CTEs after `login` and `owner`, each with a comma behind it. */
  readonly ctes: Sql;
  readonly from: Sql;
  readonly condition: Sql;
  readonly columns: Sql;
  readonly join: Sql;
}

const noLimit: RoomParts = {
  lock: sql`FOR SHARE OF u, i`,
  ...{ ctes: empty, from: empty, condition: empty, columns: empty, join: empty },
};

/** What a limit of sessions adds to the statement that begins one: nothing where there is none. See decision 139. */
function roomFor({ loginId, limit, replaces = null, sharing }: RoomSeeker): RoomParts {
  if (limit === undefined) return noLimit;
  const entry = { action: 'session.ended', detail: { reason: SESSION_LIMIT } } as const;
  const source = {
    from: sql`room, unnest(room.ended) AS gone(id)`,
    userId: sql`room.owner_id`,
    sessionId: sql`gone.id`,
  };
  const ctes = sql`room AS (
    SELECT owner.id AS owner_id, r.has_room, r.ended FROM login, owner, LATERAL iam.make_room(
      ${loginId}::uuid, owner.id, login.client_id, ${limit.perUser ?? null}::int, ${limit.perClient ?? null}::int,
      ${limit.then === 'end_oldest'}::boolean,
      (SELECT s.id FROM iam.sessions s WHERE s.id = ${replaces}::uuid AND s.client_id = ANY(${sharing}::text[]))) r
  ), made AS (
    ${insertAudit(entry, source)}
  ), `;
  return {
    lock: sql`FOR NO KEY UPDATE OF u FOR SHARE OF i`,
    ctes,
    from: sql`, room`,
    condition: sql` AND room.has_room`,
    columns: sql`, room.*`,
    join: sql` LEFT JOIN room ON true`,
  };
}

/** A session to begin; lifetimes in seconds. */
interface NewSession extends SessionPlace, RoomSeeker {
  readonly id: string;
  readonly idle: number;
  readonly absolute: number;
  readonly consent: ConsentParts;
}

/**
 * Consumes a login and begins its session in one statement. The user is locked against a merge or a ban, and first, as a
 * merge does; the identity that was proven must still be theirs, proven after WeChat's last
 * withdrawal, and by a row that is enabled.
 * The id of the UPDATE is a value, because a plan by a join may read all logins that were ever `authenticated`.
 * Without a session: the row says why it may not begin, or another request was first, or the user changed while this one
 * waited for the lock; nothing is consumed then. With a limit of sessions, sign-ins of one user take turns, and without room none
 * begins.
 */
export const beginSessionSql = (login: Sql, session: NewSession, room = roomFor(session)): Sql => sql`
  WITH login AS (${login}), owner AS (
    SELECT u.id FROM login, iam.identity_providers p, iam.identities i${session.consent.from}, ${ownerOf(sql`login.user_id`)} AND u.status = 'active'
      AND login.is_open AND p.slug = login.provider AND p.enabled
      AND i.appid = login.appid AND i.openid = login.openid AND i.user_id = u.id
      AND (i.withdrawn_at IS NULL OR login.proven_at >= i.withdrawn_at)${session.consent.on}
    ${room.lock}${session.consent.lock}
  ), ${room.ctes}consumed AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = owner.id FROM login, owner${room.from}
    WHERE l.id = ${session.loginId} AND l.status = 'authenticated' AND l.redeem_before > now()${room.condition}
    RETURNING l.*
  ), session AS (
    INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, by_scan, scope, resources,
                              browser_session_id, auth_time, ip, user_agent, idle_expires_at, expires_at)
    SELECT ${session.id}, c.user_id, c.client_id, c.id, c.provider, c.method, c.appid, c.openid, c.scene_hash IS NOT NULL, c.scope, c.resources,
           c.browser_session_id, c.auth_time, ${session.origin.ip}, ${session.origin.userAgent}, now() + make_interval(secs => ${Math.min(session.idle, session.absolute)}::int),
           now() + make_interval(secs => ${session.absolute}::int)
    FROM consumed c
    RETURNING id, user_id, client_id, created_at, scope, resources, auth_time
  ), audited AS (
    ${insertAudit(started, {
      from: sql`session`,
      userId: sql`session.user_id`,
      sessionId: sql`session.id`,
      clientId: sql`session.client_id`,
    })}
  )
  SELECT ${redeemableColumns}, login.client_id, login.method, login.provider, login.is_new_user, login.nonce, session.user_id,
         session.created_at, session.scope, session.resources, session.auth_time, ${rolesOfSql('session')}, ${personOfSql('session')}${room.columns}
  FROM login LEFT JOIN session ON true${room.join}`;

/**
 * A code redeemed again: within the grace the response is that of the session that it began, later that session ends (RFC 6749 §4.1.2).
 * No row: there is nothing to repeat.
 */
export const settleRepeatedCodeSql = (loginId: string, grace: ReuseGrace, entry: AuditEntry): Sql => sql`
  WITH locked AS (
    SELECT s.*, l.is_new_user, l.nonce, u.status = 'active' AND s.idle_expires_at > now() AND s.grace_uses < ${grace.uses}::int
                AND s.created_at > now() - make_interval(secs => ${grace.seconds}::int) AS repeats
    FROM iam.sessions s JOIN iam.logins l ON l.id = s.login_id JOIN iam.users u ON u.id = s.user_id
    WHERE s.login_id = ${loginId} AND s.ended_at IS NULL
    FOR UPDATE OF s
  ), repeated AS (
    UPDATE iam.sessions s SET grace_uses = s.grace_uses + 1 FROM locked WHERE locked.repeats AND s.id = locked.id
  ), ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = 'code_reused'
    FROM locked WHERE NOT locked.repeats AND s.id = locked.id
    RETURNING s.id, s.user_id
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id`, sessionId: sql`ended.id` })}
  )
  SELECT locked.id AS session_id, locked.generation, ${tokenColumnsSql('locked')}, provider, is_new_user, nonce,
         ${rolesOfSql('locked')}, ${personOfSql('locked')}
  FROM locked WHERE repeats`;
