import { sql, raw, type Sql } from '../database/sql.js';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import type { IdentityKey } from '../users/identity-data.js';
import type { RefreshToken } from './sessions.service.js';

/** When WeChat proved the person of a login: at the scan, or just before the callback claimed it. */
export const loginProvenAtSql = (login: string): Sql =>
  raw(`COALESCE(${login}.scanned_at, ${login}.created_at)`);

/** The same of a session, whose code may have waited; a login that no longer exists was redeemed a day ago. */
export const sessionProvenAtSql = (session: string): Sql =>
  sql`COALESCE((SELECT ${loginProvenAtSql('l')} FROM iam.logins l WHERE l.id = ${raw(session)}.login_id), ${raw(session)}.created_at)`;

/** The roles of the user of a row. */
export const rolesOfSql = (relation: string): Sql =>
  sql`ARRAY(SELECT r.role FROM iam.user_roles r WHERE r.user_id = ${raw(relation)}.user_id ORDER BY r.role) AS roles`;

/** A session `s` that can still be refreshed. */
export const isLiveSql = sql`(s.ended_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())`;

/** No row: the session is over, or its user is not active. */
export const liveSessionSql = (sessionId: string): Sql => sql`
  SELECT s.user_id, ${rolesOfSql('s')}
  FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
  WHERE s.id = ${sessionId} AND ${isLiveSql} AND u.status = 'active'`;

/** Rotates a token of these clients' sessions; `idle` in seconds. No row: the token is not the live one. */
export const rotateSql = (token: RefreshToken, clients: readonly string[], idle: number): Sql => sql`
  WITH rotated AS (
    UPDATE iam.sessions s
    SET generation = s.generation + 1, rotated_at = now(), grace_uses = 0,
        idle_expires_at = LEAST(now() + make_interval(secs => ${idle}::int), s.expires_at)
    FROM iam.users u
    WHERE s.id = ${token.sessionId} AND s.generation = ${token.generation} AND s.client_id = ANY(${clients}::text[])
      AND ${isLiveSql} AND u.id = s.user_id AND u.status = 'active'
    RETURNING s.user_id, s.client_id, s.method, s.created_at
  )
  SELECT user_id, client_id, method, created_at, ${rolesOfSql('rotated')} FROM rotated`;

/** For how many seconds, and how often, a used parent token or code gets the same response again. */
export interface ReuseGrace {
  readonly seconds: number;
  readonly uses: number;
}

/** Locks the session: the direct parent gets the same response again within the grace, an older token ends the session. */
export const settleReuseSql = (
  { sessionId, generation }: RefreshToken,
  clients: readonly string[],
  grace: ReuseGrace,
  entry: AuditEntry,
): Sql => sql`
  WITH locked AS (
    SELECT s.id, s.user_id, s.client_id, s.method, s.created_at, s.generation, s.rotated_at, s.grace_uses, u.status AS user_status
    FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
    WHERE s.id = ${sessionId} AND s.client_id = ANY(${clients}::text[]) AND ${isLiveSql}
    FOR UPDATE OF s
  ), verdict AS (
    SELECT locked.*, CASE
      WHEN user_status <> 'active' THEN 'over'
      WHEN generation = ${generation}::int + 1 AND rotated_at > now() - make_interval(secs => ${grace.seconds}::int)
           AND grace_uses < ${grace.uses}::int THEN 'grace'
      WHEN generation > ${generation}::int THEN 'reuse'
      ELSE 'over' END AS verdict
    FROM locked
  ), graced AS (
    UPDATE iam.sessions s SET grace_uses = s.grace_uses + 1 FROM verdict v WHERE v.verdict = 'grace' AND s.id = v.id
  ), ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = 'refresh_reused'
    FROM verdict v WHERE v.verdict = 'reuse' AND s.id = v.id
    RETURNING s.user_id
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id` })}
  )
  SELECT user_id, client_id, method, created_at, generation, verdict, ${rolesOfSql('verdict')} FROM verdict`;

/** Ends a session of these clients, with an audit entry if it was live. `is_own`: it is one of these clients'. */
export const endSql = (
  sessionId: string,
  clients: readonly string[],
  reason: string,
  entry: AuditEntry,
): Sql => sql`
  WITH ended AS (
    UPDATE iam.sessions SET ended_at = now(), end_reason = ${reason}
    WHERE id = ${sessionId} AND client_id = ANY(${clients}::text[]) AND ended_at IS NULL
    RETURNING user_id
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id` })}
  )
  SELECT client_id = ANY(${clients}::text[]) AS is_own FROM iam.sessions WHERE id = ${sessionId}`;

/** Ends every session of a user that has not ended. */
export const endAllSql = (userId: string, reason: string): Sql => sql`
  WITH ended AS (
    UPDATE iam.sessions SET ended_at = now(), end_reason = ${reason} WHERE user_id = ${userId} AND ended_at IS NULL RETURNING id, user_id
  ) SELECT id, user_id FROM ended ORDER BY id`;

/** Ends every session that began by an identity; with a time, only those that WeChat proved before it. */
export const endOfIdentitySql = (
  { appid, openid }: IdentityKey,
  reason: string,
  provenBefore: Date | null,
): Sql => sql`
  WITH ended AS (
    UPDATE iam.sessions s SET ended_at = now(), end_reason = ${reason}
    WHERE s.appid = ${appid} AND s.openid = ${openid} AND s.ended_at IS NULL
      AND (${provenBefore}::timestamptz IS NULL OR ${sessionProvenAtSql('s')} < ${eventHorizonSql(provenBefore)})
    RETURNING s.id, s.user_id
  ) SELECT id, user_id FROM ended ORDER BY id`;
