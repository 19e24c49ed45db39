import type { StatementPart } from '../database/statement-part.js';
import { INBOX_PARAMETERS, inboxInsertSql } from './inbox-statements.js';

/** Attempts before an event is given up. */
export const MAX_ATTEMPTS = 5;

/** Seconds that an event stays with whoever took it: a replica that lives renews, so a dead one keeps it no longer. */
export const LEASE_SECONDS = 10;

/**
 * Inserts an event: $1… inbox row. `id` is null for one that is there already, and `status` too when the other delivery is
 * being committed at this moment. `effect`, a statement that reads from `inserted`, takes effect once with the event.
 */
export function intakeSql(effect?: StatementPart): string {
  return `
    WITH inserted AS (${inboxInsertSql(1)})${effect === undefined ? '' : `, effect AS (${effect.sql(INBOX_PARAMETERS + 1)})`}
    SELECT (SELECT id FROM inserted) AS id, e.status, e.result
    FROM (VALUES (1)) AS one LEFT JOIN iam.webhook_events e ON e.dedupe_key = $3`;
}

/** $1 id, $2 lease token, $3 result. No row: somebody else holds the event by now. */
export const finishSql = `
  WITH finished AS (
    UPDATE iam.webhook_events
    SET status = 'done', result = $3, lease_token = NULL, lease_until = NULL, last_error = NULL
    WHERE id = $1 AND lease_token = $2 AND status = 'processing'
    RETURNING status
  ) SELECT status FROM finished`;

/** $1 id, $2 lease token, $3 result so far, $4 why. The next attempt waits 2, 8, 32, then 128 seconds. */
export const failSql = `
  WITH failed AS (
    UPDATE iam.webhook_events
    SET attempts = attempts + 1, status = CASE WHEN attempts + 1 < ${MAX_ATTEMPTS} THEN 'pending' ELSE 'dead' END,
        lease_token = NULL, lease_until = now() + make_interval(secs => 2 * 4 ^ attempts), result = $3, last_error = $4
    WHERE id = $1 AND lease_token = $2 AND status = 'processing'
    RETURNING status
  ) SELECT status FROM failed`;

/** $1 lease tokens of events that are still being worked on. */
export const renewSql = `
  /* background */ WITH renewed AS (
    UPDATE iam.webhook_events SET lease_until = now() + interval '${LEASE_SECONDS} seconds'
    WHERE lease_token = ANY ($1::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM renewed`;

/** $1 lease tokens: what this replica leaves unfinished is there for the next one at once. */
export const releaseSql = `
  WITH released AS (
    UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()
    WHERE lease_token = ANY ($1::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM released`;

/**
 * Takes due events: $1 a lease token for each that may be taken. A lease that ran out was lost with its replica and counts
 * as a failed attempt, so that an event which ends the process each time is given up too.
 */
export const takeDueSql = `
  /* background */ WITH due AS (
    SELECT id, attempts + CASE WHEN status = 'processing' THEN 1 ELSE 0 END AS failures
    FROM iam.webhook_events
    WHERE status IN ('processing', 'pending') AND lease_until <= now()
    ORDER BY lease_until
    LIMIT cardinality($1::uuid[])
    FOR UPDATE SKIP LOCKED
  ), leased AS (
    SELECT id, failures, failures >= ${MAX_ATTEMPTS} AS is_dead, ($1::uuid[])[row_number() OVER ()] AS token FROM due
  )
  , taken AS (
    UPDATE iam.webhook_events e
    SET attempts = failures,
        status = CASE WHEN is_dead THEN 'dead' ELSE 'processing' END,
        lease_token = CASE WHEN NOT is_dead THEN token END,
        lease_until = now() + interval '${LEASE_SECONDS} seconds',
        last_error = CASE WHEN is_dead THEN 'lost with its replica' ELSE e.last_error END
    FROM leased WHERE e.id = leased.id
    RETURNING e.*
  )
  SELECT id, provider, dedupe_key, event, openid, event_at, message, raw, status, result, lease_token FROM taken`;
