import { sql, type Sql } from '../database/sql.js';

/** Rows of one kind that an export holds at most: the newest. */
export const MOST_EXPORTED = 1_000;

/** The user and whoever was merged into them, which keeps its rows of the past. */
const personSql = (userId: string): Sql =>
  sql`person AS (SELECT id FROM iam.users WHERE id = ${userId} OR merged_into = ${userId})`;

const newest = sql`LIMIT ${MOST_EXPORTED + 1}`;

const byThemself = sql`(a.actor IS NULL OR a.actor IN (SELECT 'user:' || id FROM person))`;
const isTheirSession = sql`a.session_id IN (SELECT s.id FROM iam.sessions s JOIN person ON s.user_id = person.id)`;

/** What is held about a person, by kind. No token, code or hash of one is among the columns. */
export function exportStatements(userId: string) {
  const person = personSql(userId);
  return {
    identities: sql`WITH ${person}
    SELECT id, provider, app_kind AS kind, appid, openid, union_scope, unionid,
           ARRAY(SELECT c.union_scope FROM iam.identity_unions c WHERE c.identity_id = identities.id ORDER BY 1) AS union_scopes, follows, follow_changed_at,
           profile_read_at, withdrawn_at, created_at AS linked_at,
           ARRAY(SELECT jsonb_build_object('appid', m.to_appid, 'openid', m.to_openid, 'outcome', m.outcome, 'answered_at', m.answered_at)
                 FROM iam.openid_moves m WHERE m.identity_id = identities.id ORDER BY m.to_appid) AS moves
    FROM iam.identities WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    roles: sql`SELECT role AS name, created_at AS given_at FROM iam.user_roles WHERE user_id = ${userId} ORDER BY role ${newest}`,
    sessions: sql`WITH ${person}
    SELECT id, client_id, provider, method, appid, openid, ip, user_agent, created_at, rotated_at AS refreshed_at,
           idle_expires_at, expires_at, ended_at, end_reason
    FROM iam.sessions WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    sign_ins: sql`WITH ${person}
    SELECT id, client_id, provider, method, appid, openid, status, error, ip, user_agent, created_at, scanned_at,
           confirmed_at, expires_at
    FROM iam.logins WHERE user_id IN (SELECT id FROM person) ORDER BY id DESC ${newest}`,
    messages: sql`WITH ${person}
    SELECT e.id, e.provider, e.event, e.openid, e.event_at, e.message, e.received_at
    FROM iam.webhook_events e
    WHERE e.openid IN (SELECT i.openid FROM iam.identities i JOIN person ON i.user_id = person.id)
    ORDER BY e.id DESC ${newest}`,
    // An administrator's address belongs to the administrator, and is none of the user's data.
    audit: sql`WITH ${person}
    SELECT a.id, a.at, a.action, CASE WHEN ${byThemself} OR ${isTheirSession} THEN a.session_id END AS session_id, a.client_id,
           a.provider, CASE WHEN ${byThemself} THEN a.ip END AS ip, CASE WHEN ${byThemself} THEN a.user_agent END AS user_agent,
           CASE WHEN ${byThemself} THEN a.detail ELSE a.detail - 'by_session' END AS detail
    FROM iam.audit_log a WHERE a.user_id IN (SELECT id FROM person) ORDER BY a.id DESC ${newest}`,
  } as const;
}
