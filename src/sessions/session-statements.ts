import { auditInsertSql } from '../audit/record-audit.js';
import { eventHorizonSql } from '../database/event-time.js';
import { sessionProvenAtSql } from './proven-at.js';

const rolesOf = (relation: string) =>
  `ARRAY(SELECT r.role FROM iam.user_roles r WHERE r.user_id = ${relation}.user_id ORDER BY r.role) AS roles`;

const live = 's.ended_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()';

/** $1 session. No row: it is over, or its user is not active. */
export const liveSessionSql = `
  SELECT s.user_id, ${rolesOf('s')}
  FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
  WHERE s.id = $1 AND ${live} AND u.status = 'active'`;

/** $1 session, $2 generation of the token, $3 clients, $4 idle lifetime in seconds. No row: the token is not the live one. */
export const rotateSql = `
  WITH rotated AS (
    UPDATE iam.sessions s
    SET generation = s.generation + 1, rotated_at = now(), grace_uses = 0,
        idle_expires_at = LEAST(now() + make_interval(secs => $4::int), s.expires_at)
    FROM iam.users u
    WHERE s.id = $1 AND s.generation = $2 AND s.client_id = ANY($3::text[]) AND ${live}
      AND u.id = s.user_id AND u.status = 'active'
    RETURNING s.user_id, s.client_id, s.method, s.created_at
  )
  SELECT user_id, client_id, method, created_at, ${rolesOf('rotated')} FROM rotated`;

/**
 * $1 session, $2 generation of the token, $3 clients, $4 grace in seconds, $5 most uses of the grace, $6… audit entry.
 * Under a lock on the session: the direct parent within the grace is answered again, an older token ends the session.
 */
export const settleReuseSql = `
  WITH locked AS (
    SELECT s.id, s.user_id, s.client_id, s.method, s.created_at, s.generation, s.rotated_at, s.grace_uses, u.status AS user_status
    FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
    WHERE s.id = $1 AND s.client_id = ANY($3::text[]) AND ${live}
    FOR UPDATE OF s
  ), verdict AS (
    SELECT locked.*, CASE
      WHEN user_status <> 'active' THEN 'dead'
      WHEN generation = $2 + 1 AND rotated_at > now() - make_interval(secs => $4::int) AND grace_uses < $5 THEN 'grace'
      WHEN generation > $2 THEN 'reuse'
      ELSE 'dead' END AS verdict
    FROM locked
  ), graced AS (
    UPDATE iam.sessions s SET grace_uses = s.grace_uses + 1 FROM verdict v WHERE v.verdict = 'grace' AND s.id = v.id
  ), ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = 'refresh_reused'
    FROM verdict v WHERE v.verdict = 'reuse' AND s.id = v.id
    RETURNING s.user_id
  ), audited AS (
    ${auditInsertSql(6, { from: 'ended', userId: 'ended.user_id' })}
  )
  SELECT user_id, client_id, method, created_at, generation, verdict, ${rolesOf('verdict')} FROM verdict`;

/** $1 session, $2 clients, $3 reason, $4… audit entry, written only when the session was live. Says whose the session is. */
export const endSql = `
  WITH ended AS (
    UPDATE iam.sessions SET ended_at = now(), end_reason = $3
    WHERE id = $1 AND client_id = ANY($2::text[]) AND ended_at IS NULL
    RETURNING user_id
  ), audited AS (
    ${auditInsertSql(4, { from: 'ended', userId: 'ended.user_id' })}
  )
  SELECT client_id = ANY($2::text[]) AS is_own FROM iam.sessions WHERE id = $1`;

/** $1 user, $2 reason. */
export const endAllSql = `
  WITH ended AS (
    UPDATE iam.sessions SET ended_at = now(), end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id, user_id
  ) SELECT id, user_id FROM ended ORDER BY id`;

/** $1 appid, $2 openid, $3 reason, $4 only what WeChat proved before. */
export const endOfIdentitySql = `
  WITH ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = $3
    WHERE s.appid = $1 AND s.openid = $2 AND s.ended_at IS NULL
      AND ($4::timestamptz IS NULL OR ${sessionProvenAtSql('s')} < ${eventHorizonSql('$4::timestamptz')})
    RETURNING s.id, s.user_id
  ) SELECT id, user_id FROM ended ORDER BY id`;
