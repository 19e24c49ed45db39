import { auditInsertSql } from '../audit/record-audit.js';
import { refusalCtes } from '../audit/refusals.js';
import { eventHorizonSql } from '../database/event-time.js';
import { loginProvenAtSql, sessionProvenAtSql } from '../sessions/proven-at.js';

/** Rows stay this long after they were made: longer than any cookie, code or binding token of theirs. */
const KEEP = `interval '1 day'`;

/**
 * Claims a state or the code of an app: $1 id, $2 state hash, $3 hash of WeChat's code, $4 provider, $5 method, $6 appid,
 * $7 client, $8 redirect_uri, $9 code_challenge, $10 ip, $11 user agent. No row: state or code was claimed before.
 */
export const claimSql = claimFrom('(VALUES (1)) AS one');

/** As `claimSql`, if the points are there that a `takePart` takes from $12 on. */
export const claimWithPointsSql = (take: string) => `
  WITH taken AS MATERIALIZED (SELECT * FROM ${take}), claimed AS (${claimFrom('taken WHERE taken.refused IS NULL')})
  SELECT taken.*, (SELECT id FROM claimed) AS id FROM taken`;

function claimFrom(from: string): string {
  return `
    INSERT INTO iam.logins (id, state_hash, wechat_code_hash, status, provider, method, appid, client_id, redirect_uri,
                            code_challenge, ip, user_agent, expires_at)
    SELECT $1::uuid, $2::text, $3::text, 'pending', $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text,
           $11::text, now() + ${KEEP}
    FROM ${from}
    ON CONFLICT DO NOTHING
    RETURNING id`;
}

/** $1 state hash. The age is by the clock that all replicas share. */
export const outcomeSql = `
  SELECT id, status, error, linked_identity_id, user_id IS NULL AS binds, (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms
  FROM iam.logins WHERE state_hash = $1`;

/** $1 id, $2 user, $3 openid, $4 new user, $5 subject to bind, $6 life of the code in seconds, $7… audit entry. */
export const authenticateSql = `
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = $2, openid = $3, is_new_user = $4, subject = $5,
        redeem_before = now() + make_interval(secs => $6::int)
    WHERE id = $1 AND status = 'pending'
    RETURNING user_id
  ), audited AS (
    ${auditInsertSql(7, { from: 'login', userId: 'login.user_id' })}
  )
  SELECT user_id FROM login`;

/** $1 id, $2 status, $3 error, $4… refusal. */
export const finishSql = `
  WITH login AS (
    UPDATE iam.logins SET status = $2, error = $3 WHERE id = $1 AND status = 'pending' RETURNING id
  ), ${refusalCtes(4, 'login')} SELECT id FROM login`;

/** A person, or somebody in their name, came back from WeChat without a code: $1 id. */
export const denySql = `
  UPDATE iam.logins SET status = 'denied', error = 'access_denied' WHERE id = $1 AND status = 'pending'`;

/** A login by which a signed-in user has linked an identity: $1 id, $2 user, $3 openid, $4 identity. */
export const linkedSql = `
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', user_id = $2, openid = $3, linked_identity_id = $4
    WHERE id = $1 AND status = 'pending'
    RETURNING id
  ) SELECT id FROM login`;

/** Whose login it is, also when the user was merged while it was being written. */
const ownerOf = (login: string) => `
  iam.users asked JOIN iam.users u ON u.id = COALESCE(asked.merged_into, asked.id) WHERE asked.id = ${login}.user_id`;

/** $1 id. */
export const redeemableSql = `
  SELECT l.status, l.client_id, l.redirect_uri, l.code_challenge, l.user_id, (SELECT u.status FROM ${ownerOf('l')}) AS user_status,
         COALESCE(l.redeem_before > now(), false) AS is_live
  FROM iam.logins l WHERE l.id = $1`;

/**
 * Consumes a login and begins its session in one statement. The user is locked against a merge or a ban, and first, as a
 * merge does; the identity that was proven must be theirs still, whoever unlinks it meanwhile, proven after WeChat's last
 * withdrawal, and by a row that is enabled: $1 login, $2 session, $3 idle and $4 absolute lifetime in seconds, $5 ip,
 * $6 user agent, $7… audit entry.
 * No row: another request was first, or the user changed while this one waited for the lock; nothing is consumed then.
 */
export const beginSessionSql = `
  WITH login AS (
    SELECT l.id, l.user_id, l.appid, l.openid, ${loginProvenAtSql('l')} AS proven_at
    FROM iam.logins l JOIN iam.identity_providers p ON p.slug = l.provider AND p.enabled WHERE l.id = $1
  ), owner AS (
    SELECT u.id FROM login, iam.identities i, ${ownerOf('login')} AND u.status = 'active'
      AND i.appid = login.appid AND i.openid = login.openid AND i.user_id = u.id
      AND (i.withdrawn_at IS NULL OR login.proven_at >= i.withdrawn_at)
    FOR SHARE OF u, i
  ), consumed AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = owner.id FROM owner
    WHERE l.id = $1 AND l.status = 'authenticated' AND l.redeem_before > now()
    RETURNING l.*
  ), session AS (
    INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, ip, user_agent,
                              idle_expires_at, expires_at)
    SELECT $2, c.user_id, c.client_id, c.id, c.provider, c.method, c.appid, c.openid, $5, $6,
           now() + make_interval(secs => LEAST($3::int, $4::int)), now() + make_interval(secs => $4::int)
    FROM consumed c
    RETURNING id, user_id, method, created_at
  ), audited AS (
    ${auditInsertSql(7, { from: 'session', userId: 'session.user_id', sessionId: 'session.id' })}
  )
  SELECT session.user_id, session.method, session.created_at, c.client_id, c.provider, c.is_new_user,
         ARRAY(SELECT r.role FROM iam.user_roles r WHERE r.user_id = session.user_id ORDER BY r.role) AS roles
  FROM session, consumed c`;

/**
 * A code redeemed again: within the grace the session that it began is answered again, later that session ends (RFC 6749 §4.1.2).
 * $1 login, $2 grace in seconds, $3 most repetitions, $4… audit entry. No row: there is nothing to repeat.
 */
export const settleRepeatedCodeSql = `
  WITH locked AS (
    SELECT s.*, l.is_new_user, u.status = 'active' AND s.idle_expires_at > now() AND s.grace_uses < $3::int
                AND s.created_at > now() - make_interval(secs => $2::int) AS repeats
    FROM iam.sessions s JOIN iam.logins l ON l.id = s.login_id JOIN iam.users u ON u.id = s.user_id
    WHERE s.login_id = $1 AND s.ended_at IS NULL
    FOR UPDATE OF s
  ), repeated AS (
    UPDATE iam.sessions s SET grace_uses = s.grace_uses + 1 FROM locked WHERE locked.repeats AND s.id = locked.id
  ), ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = 'code_reused'
    FROM locked WHERE NOT locked.repeats AND s.id = locked.id
    RETURNING s.id, s.user_id
  ), audited AS (
    ${auditInsertSql(4, { from: 'ended', userId: 'ended.user_id', sessionId: 'ended.id' })}
  )
  SELECT locked.id AS session_id, locked.generation, user_id, method, created_at, client_id, provider, is_new_user,
         ARRAY(SELECT r.role FROM iam.user_roles r WHERE r.user_id = locked.user_id ORDER BY r.role) AS roles
  FROM locked WHERE repeats`;

/** $1 id, $2 life of the binding token in seconds. A scan that nobody was asked about connects no accounts. */
export const startBindingSql = `
  WITH login AS (
    UPDATE iam.logins SET status = 'binding', redeem_before = now() + make_interval(secs => $2::int)
    WHERE id = $1 AND status = 'authenticated' AND user_id IS NULL AND redeem_before > now()
      AND confirmation IS DISTINCT FROM 'none'
    RETURNING id
  ) SELECT id FROM login`;

/** $1 id, $2 user; by a row that is enabled. What WeChat proved stays no longer than it is needed. */
export const bindSql = `
  WITH proven AS (
    SELECT l.id, l.subject, l.client_id, COALESCE(l.state_hash, l.attempt_hash) AS attempt_hash
    FROM iam.logins l JOIN iam.identity_providers p ON p.slug = l.provider AND p.enabled
    WHERE l.id = $1 AND l.status = 'binding' AND l.redeem_before > now() FOR UPDATE OF l
  ), login AS (
    UPDATE iam.logins l SET status = 'consumed', user_id = $2, subject = NULL FROM proven WHERE l.id = proven.id
  ) SELECT subject, client_id, attempt_hash FROM proven`;

/** The sign-in that asked for the binding goes on, for its client alone and once: $1 id, $2 user, $3 life in seconds. */
export const resumeSql = `
  UPDATE iam.logins SET status = 'authenticated', redeem_before = now() + make_interval(secs => $3::int)
  WHERE id = $1 AND user_id = $2 AND status = 'consumed'`;

const interrupted = `status = 'failed', error = 'login_interrupted', redeem_before = now(), subject = NULL`;

/** Ends what was proven and not yet redeemed: $1 user. */
export const endOfUserSql = `UPDATE iam.logins SET ${interrupted} WHERE user_id = $1 AND status = 'authenticated'`;

/** Ends every open login of a person to one app, whose proof goes: $1 appid, $2 openid, $3 only what WeChat proved before. */
export const endOfIdentitySql = `
  UPDATE iam.logins l SET ${interrupted}
  WHERE l.appid = $1 AND l.openid = $2 AND l.status IN ('pending', 'scanned', 'confirmed', 'authenticated', 'binding')
    AND ($3::timestamptz IS NULL OR ${loginProvenAtSql('l')} < ${eventHorizonSql('$3::timestamptz')})`;

/** $1 appid, $2 openid, $3 only what WeChat proved before. */
export const forgetProfileSql = `
  UPDATE iam.logins l SET subject = jsonb_set(l.subject, '{profile}', 'null')
  WHERE l.appid = $1 AND l.openid = $2 AND l.subject IS NOT NULL
    AND ${loginProvenAtSql('l')} < ${eventHorizonSql('$3::timestamptz')}`;

/** Whether WeChat has proved a person to one app since: $1 appid, $2 openid, $3 since when. */
export const provenSinceSql = `
  SELECT EXISTS (
    SELECT FROM iam.logins l WHERE l.appid = $1 AND l.openid = $2 AND l.status IN ('confirmed', 'authenticated', 'binding', 'consumed')
      AND ${loginProvenAtSql('l')} >= ${eventHorizonSql('$3::timestamptz')}
  ) OR EXISTS (
    SELECT FROM iam.identities i WHERE i.appid = $1 AND i.openid = $2 AND i.created_at >= ${eventHorizonSql('$3::timestamptz')}
  ) OR EXISTS (
    SELECT FROM iam.sessions s WHERE s.appid = $1 AND s.openid = $2 AND ${sessionProvenAtSql('s')} >= ${eventHorizonSql('$3::timestamptz')}
  ) AS is_proven`;
