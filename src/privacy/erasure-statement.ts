import { sql, type Sql } from '../database/sql.js';
import { z } from 'zod';

/** How many rows of each kind an erasure removed: what the audit log keeps of it. */
export const erasedCounts = z.object({
  identities: z.number(),
  unions: z.number(),
  sessions: z.number(),
  logins: z.number(),
  roles: z.number(),
  events: z.number(),
  merged: z.number(),
});

/**
 * Everything about a user, and about the users that were merged into them, in one statement. The user's row is locked.
 * Foreign keys are checked at its end. What came by an identity that they gave up goes too, unless it is somebody else's
 * since. The audit log is left alone: it keeps to its own retention.
 */
export const eraseSql = (userId: string): Sql => sql`
  WITH person AS (
    SELECT id FROM iam.users WHERE id = ${userId} OR merged_into = ${userId}
  ), known AS (
    SELECT i.appid, i.openid FROM iam.identities i JOIN person ON i.user_id = person.id
    UNION
    SELECT s.appid, s.openid FROM iam.sessions s JOIN person ON s.user_id = person.id
    WHERE NOT EXISTS (SELECT 1 FROM iam.identities i WHERE i.appid = s.appid AND i.openid = s.openid
                      AND i.user_id NOT IN (SELECT id FROM person))
  ), events AS (
    DELETE FROM iam.webhook_events WHERE openid IN (SELECT openid FROM known) RETURNING 1
  ), sessions AS (
    DELETE FROM iam.sessions WHERE user_id IN (SELECT id FROM person) RETURNING 1
  ), own_logins AS (
    DELETE FROM iam.logins WHERE user_id IN (SELECT id FROM person) RETURNING 1
  ), open_logins AS (
    DELETE FROM iam.logins l USING known
    WHERE (l.user_id IS NULL OR l.link_session_id IS NOT NULL) AND l.openid IS NOT NULL
      AND l.openid = known.openid AND l.appid = known.appid
      AND (l.user_id IS NULL OR l.user_id NOT IN (SELECT id FROM person))
    RETURNING 1
  ), roles AS (
    DELETE FROM iam.user_roles WHERE user_id IN (SELECT id FROM person) RETURNING 1
  ), unions AS (
    DELETE FROM iam.unions WHERE user_id IN (SELECT id FROM person) RETURNING 1
  ), identities AS (
    DELETE FROM iam.identities WHERE user_id IN (SELECT id FROM person) RETURNING 1
  ), users AS (
    DELETE FROM iam.users WHERE id IN (SELECT id FROM person) RETURNING 1
  )
  SELECT (SELECT count(*) FROM identities)::int AS identities, (SELECT count(*) FROM unions)::int AS unions,
         (SELECT count(*) FROM sessions)::int AS sessions,
         ((SELECT count(*) FROM own_logins) + (SELECT count(*) FROM open_logins))::int AS logins,
         (SELECT count(*) FROM roles)::int AS roles, (SELECT count(*) FROM events)::int AS events,
         (SELECT count(*) FROM users)::int - 1 AS merged`;
