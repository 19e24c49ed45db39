import { v7 as uuidv7 } from 'uuid';
import { insertAudit, type AuditEntry, refusalCtes } from '../audit/record-audit.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import { sql, empty, type Sql } from '../database/sql.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import {
  loginProvenAtSql,
  sessionProvenAtSql,
  rolesOfSql,
  type ReuseGrace,
} from '../sessions/session-statements.js';
import type { IdentityKey } from '../users/identity-data.js';
import type { LinkOutcome } from './identity-links.service.js';
import type { LoginStart, ProvenPerson } from './login-start.js';
import { attemptHash } from './sealed-attempt.js';

/** Rows stay this long after they were made: longer than any cookie, code or binding token of theirs. */
const KEEP = sql`interval '1 day'`;

/** What is claimed: the state of an attempt, if it has one, and WeChat's code, as a hash. */
export interface LoginClaim {
  readonly start: LoginStart;
  readonly codeHash: string | null;
  readonly origin: RequestOrigin;
}

/** Claims a state or the code of an app. No row: state or code was claimed before. */
export const claimSql = (claim: LoginClaim): Sql => claimFrom(claim, empty);

/** As `claimSql`, if the points are there that the FROM item `take` takes. */
export const claimWithPointsSql = (claim: LoginClaim, take: Sql): Sql => sql`
  WITH taken AS MATERIALIZED (SELECT * FROM ${take}),
  claimed AS (${claimFrom(claim, sql`FROM taken WHERE taken.refused IS NULL`)})
  SELECT taken.*, (SELECT id FROM claimed) AS id FROM taken`;

function claimFrom({ start, codeHash, origin }: LoginClaim, from: Sql): Sql {
  const stateHash = start.state === undefined ? null : attemptHash(start.state);
  return sql`
    INSERT INTO iam.logins (id, state_hash, wechat_code_hash, status, provider, method, appid, client_id, redirect_uri,
                            code_challenge, ip, user_agent, expires_at)
    SELECT ${uuidv7()}::uuid, ${stateHash}::text, ${codeHash}::text, 'pending', ${start.provider}::text, ${start.method}::text,
           ${start.appid}::text, ${start.clientId}::text, ${start.redirectUri ?? null}::text,
           ${start.codeChallenge ?? null}::text, ${origin.ip}::text, ${origin.userAgent}::text, now() + ${KEEP}
    ${from}
    ON CONFLICT DO NOTHING
    RETURNING id`;
}

/** The age is by the clock that all replicas share. */
export const outcomeSql = (state: string): Sql => sql`
  SELECT id, status, error, linked_identity_id, user_id IS NULL AS binds, (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms
  FROM iam.logins WHERE state_hash = ${attemptHash(state)}`;

/** Stores whom WeChat proved; the code lives for so many seconds. */
export const authenticateSql = (
  loginId: string,
  { openid, ...person }: ProvenPerson & { readonly openid: string },
  codeSeconds: number,
  entry: AuditEntry,
): Sql => sql`
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = ${person.userId}, openid = ${openid}, is_new_user = ${person.isNewUser},
        subject = ${person.subject}, redeem_before = now() + make_interval(secs => ${codeSeconds}::int)
    WHERE id = ${loginId} AND status = 'pending'
    RETURNING user_id
  ), audited AS (
    ${insertAudit(entry, { from: sql`login`, userId: sql`login.user_id` })}
  )
  SELECT user_id FROM login`;

/** Ends a claimed login without success. */
export const finishSql = (
  loginId: string,
  { status, error }: { readonly status: string; readonly error: string },
  refusal: AuditEntry,
): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = ${status}, error = ${error} WHERE id = ${loginId} AND status = 'pending' RETURNING id
  ), ${refusalCtes(refusal, sql`login`)} SELECT id FROM login`;

/** A person, or somebody in their name, came back from WeChat without a code. */
export const denySql = (loginId: string): Sql => sql`
  UPDATE iam.logins SET status = 'denied', error = 'access_denied' WHERE id = ${loginId} AND status = 'pending'`;

/** What a signed-in user has linked, and by which login. */
export interface LinkedLogin extends LinkOutcome {
  readonly loginId: string;
}

/** A login by which a signed-in user has linked an identity. */
export const linkedSql = ({ loginId, userId, openid, identityId }: LinkedLogin): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', user_id = ${userId}, openid = ${openid}, linked_identity_id = ${identityId}
    WHERE id = ${loginId} AND status = 'pending'
    RETURNING id
  ) SELECT id FROM login`;

/** Whose login it is, also when the user was merged while it was being written. */
const ownerOf = (userId: Sql): Sql => sql`
  iam.users asked JOIN iam.users u ON u.id = COALESCE(asked.merged_into, asked.id) WHERE asked.id = ${userId}`;

/** What must be known of a login before it is redeemed. */
export const redeemableSql = (loginId: string): Sql => sql`
  SELECT l.status, l.client_id, l.redirect_uri, l.code_challenge, l.user_id,
         (SELECT u.status FROM ${ownerOf(sql`l.user_id`)}) AS user_status, COALESCE(l.redeem_before > now(), false) AS is_live
  FROM iam.logins l WHERE l.id = ${loginId}`;

/** Lets an authenticated login wait for the decision of its person. */
export const holdLoginSql = (loginId: string, seconds: number): Sql => sql`
  WITH held AS (
    UPDATE iam.logins SET redeem_before = GREATEST(redeem_before, now() + make_interval(secs => ${seconds}::int))
    WHERE id = ${loginId} AND status = 'authenticated' AND redeem_before > now() RETURNING id
  ) SELECT id FROM held`;

/** A session to begin; lifetimes in seconds. */
export interface NewSession {
  readonly id: string;
  readonly idle: number;
  readonly absolute: number;
  readonly origin: RequestOrigin;
}

/**
 * Consumes a login and begins its session in one statement. The user is locked against a merge or a ban, and first, as a
 * merge does; the identity that was proven must be theirs still, whoever unlinks it meanwhile, proven after WeChat's last
 * withdrawal, and by a row that is enabled.
 * No row: another request was first, or the user changed while this one waited for the lock; nothing is consumed then.
 */
export const beginSessionSql = (loginId: string, session: NewSession, entry: AuditEntry): Sql => sql`
  WITH login AS (
    SELECT l.id, l.user_id, l.appid, l.openid, ${loginProvenAtSql('l')} AS proven_at
    FROM iam.logins l JOIN iam.identity_providers p ON p.slug = l.provider AND p.enabled WHERE l.id = ${loginId}
  ), owner AS (
    SELECT u.id FROM login, iam.identities i, ${ownerOf(sql`login.user_id`)} AND u.status = 'active'
      AND i.appid = login.appid AND i.openid = login.openid AND i.user_id = u.id
      AND (i.withdrawn_at IS NULL OR login.proven_at >= i.withdrawn_at)
    FOR SHARE OF u, i
  ), consumed AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = owner.id FROM owner
    WHERE l.id = ${loginId} AND l.status = 'authenticated' AND l.redeem_before > now()
    RETURNING l.*
  ), session AS (
    INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, ip, user_agent,
                              idle_expires_at, expires_at)
    SELECT ${session.id}, c.user_id, c.client_id, c.id, c.provider, c.method, c.appid, c.openid, ${session.origin.ip},
           ${session.origin.userAgent}, now() + make_interval(secs => ${Math.min(session.idle, session.absolute)}::int),
           now() + make_interval(secs => ${session.absolute}::int)
    FROM consumed c
    RETURNING id, user_id, method, created_at
  ), audited AS (
    ${insertAudit(entry, { from: sql`session`, userId: sql`session.user_id`, sessionId: sql`session.id` })}
  )
  SELECT session.user_id, session.method, session.created_at, c.client_id, c.provider, c.is_new_user, ${rolesOfSql('session')}
  FROM session, consumed c`;

/**
 * A code redeemed again: within the grace the session that it began is answered again, later that session ends (RFC 6749 §4.1.2).
 * No row: there is nothing to repeat.
 */
export const settleRepeatedCodeSql = (loginId: string, grace: ReuseGrace, entry: AuditEntry): Sql => sql`
  WITH locked AS (
    SELECT s.*, l.is_new_user, u.status = 'active' AND s.idle_expires_at > now() AND s.grace_uses < ${grace.uses}::int
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
  SELECT locked.id AS session_id, locked.generation, user_id, method, created_at, client_id, provider, is_new_user,
         ${rolesOfSql('locked')}
  FROM locked WHERE repeats`;

/** Starts the life, in seconds, of a binding token. A scan that nobody was asked about connects no accounts. */
export const startBindingSql = (loginId: string, seconds: number): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'binding', redeem_before = now() + make_interval(secs => ${seconds}::int)
    WHERE id = ${loginId} AND status = 'authenticated' AND user_id IS NULL AND redeem_before > now()
      AND confirmation IS DISTINCT FROM 'none'
    RETURNING id
  ) SELECT id FROM login`;

/** By a row that is enabled. What WeChat proved stays no longer than it is needed. */
export const bindSql = (loginId: string, userId: string): Sql => sql`
  WITH proven AS (
    SELECT l.id, l.subject, l.client_id, COALESCE(l.state_hash, l.attempt_hash) AS attempt_hash
    FROM iam.logins l JOIN iam.identity_providers p ON p.slug = l.provider AND p.enabled
    WHERE l.id = ${loginId} AND l.status = 'binding' AND l.redeem_before > now() FOR UPDATE OF l
  ), login AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = ${userId}, subject = NULL FROM proven WHERE l.id = proven.id
  ) SELECT subject, client_id, attempt_hash FROM proven`;

/** The sign-in that asked for the binding goes on for so many seconds, for its client alone and once. */
export const resumeSql = (loginId: string | null, userId: string, seconds: number): Sql => sql`
  UPDATE iam.logins SET status = 'authenticated', redeem_before = now() + make_interval(secs => ${seconds}::int)
  WHERE id = ${loginId} AND user_id = ${userId} AND status = 'consumed'`;

const interrupted = sql`status = 'failed', error = 'login_interrupted', redeem_before = now(), subject = NULL`;

/** Ends what was proven and not yet redeemed. */
export const endOfUserSql = (userId: string): Sql =>
  sql`UPDATE iam.logins SET ${interrupted} WHERE user_id = ${userId} AND status = 'authenticated'`;

/** Ends every open login of a person to one app, whose proof goes; with a time, only what WeChat proved before it. */
export const endOfIdentitySql = ({ appid, openid }: IdentityKey, provenBefore: Date | null): Sql => sql`
  UPDATE iam.logins l SET ${interrupted}
  WHERE l.appid = ${appid} AND l.openid = ${openid} AND l.status IN ('pending', 'scanned', 'confirmed', 'authenticated', 'binding')
    AND (${provenBefore}::timestamptz IS NULL OR ${loginProvenAtSql('l')} < ${eventHorizonSql(provenBefore)})`;

/** Of a person to one app, as far as WeChat proved it before. */
export const forgetProfileSql = ({ appid, openid }: IdentityKey, provenBefore: Date): Sql => sql`
  UPDATE iam.logins l SET subject = jsonb_set(l.subject, '{profile}', 'null')
  WHERE l.appid = ${appid} AND l.openid = ${openid} AND l.subject IS NOT NULL
    AND ${loginProvenAtSql('l')} < ${eventHorizonSql(provenBefore)}`;

/** Whether WeChat has proved a person to one app since. */
export const provenSinceSql = ({ appid, openid }: IdentityKey, since: Date): Sql => sql`
  SELECT EXISTS (
    SELECT FROM iam.logins l WHERE l.appid = ${appid} AND l.openid = ${openid}
      AND l.status IN ('confirmed', 'authenticated', 'binding', 'consumed') AND ${loginProvenAtSql('l')} >= ${eventHorizonSql(since)}
  ) OR EXISTS (
    SELECT FROM iam.identities i WHERE i.appid = ${appid} AND i.openid = ${openid} AND i.created_at >= ${eventHorizonSql(since)}
  ) OR EXISTS (
    SELECT FROM iam.sessions s WHERE s.appid = ${appid} AND s.openid = ${openid}
      AND ${sessionProvenAtSql('s')} >= ${eventHorizonSql(since)}
  ) AS is_proven`;
