import { sql, empty, type Sql } from '../../database/sql.js';
import { insertInboxEvent, type InboxEvent, type InboxState } from './inbox-statements.js';

/** Attempts before an event is given up. */
export const MAX_ATTEMPTS = 5;

/** Seconds that an event stays with whoever took it: a replica that lives renews, so a dead one keeps it no longer. */
export const LEASE_SECONDS = 10;

const leaseEnd = sql`now() + make_interval(secs => ${LEASE_SECONDS}::int)`;

/** Which event, and by which lease it is held. */
export interface HeldEvent {
  readonly id: string;
  readonly leaseToken: string;
}

/**
 * Inserts an event. `id` is null for one that is there already, and `status` too when the other delivery is being committed
 * at this moment. `effect`, a statement that reads from `inserted`, takes effect once with the event.
 */
export const intakeSql = (event: InboxEvent, state: InboxState, effect?: Sql): Sql => sql`
  WITH inserted AS (${insertInboxEvent(event, state)})${effect === undefined ? empty : sql`, effect AS (${effect})`}
  SELECT (SELECT id FROM inserted) AS id, e.status, e.result
  FROM (VALUES (1)) AS one LEFT JOIN iam.webhook_events e ON e.dedupe_key = ${event.dedupeKey}`;

/** No row: somebody else holds the event by now. */
export const finishSql = ({ id, leaseToken }: HeldEvent, result: object): Sql => sql`
  WITH finished AS (
    UPDATE iam.webhook_events
    SET status = 'done', result = ${JSON.stringify(result)}, lease_token = NULL, lease_until = NULL, last_error = NULL
    WHERE id = ${id} AND lease_token = ${leaseToken} AND status = 'processing'
    RETURNING status
  ) SELECT status FROM finished`;

/** With the result so far. The next attempt waits 2, 8, 32, then 128 seconds. */
export const failSql = ({ id, leaseToken }: HeldEvent, result: object, reason: string): Sql => sql`
  WITH failed AS (
    UPDATE iam.webhook_events
    SET attempts = attempts + 1, status = CASE WHEN attempts + 1 < ${MAX_ATTEMPTS} THEN 'pending' ELSE 'dead' END,
        lease_token = NULL, lease_until = now() + make_interval(secs => 2 * 4 ^ attempts),
        result = ${JSON.stringify(result)}, last_error = ${reason}
    WHERE id = ${id} AND lease_token = ${leaseToken} AND status = 'processing'
    RETURNING status
  ) SELECT status FROM failed`;

/** Events that are still being worked on. */
export const renewSql = (leaseTokens: readonly string[]): Sql => sql`
  /* background */ WITH renewed AS (
    UPDATE iam.webhook_events SET lease_until = ${leaseEnd}
    WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM renewed`;

/** What this replica leaves unfinished is there for the next one at once. */
export const releaseSql = (leaseTokens: readonly string[]): Sql => sql`
  WITH released AS (
    UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()
    WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM released`;

/**
 * Takes due events, with a lease token for each that may be taken. A lease that ran out was lost with its replica and counts
 * as a failed attempt, so that an event which ends the process each time is given up too.
 */
export const takeDueSql = (leaseTokens: readonly string[]): Sql => sql`
  /* background */ WITH due AS (
    SELECT id, attempts + CASE WHEN status = 'processing' THEN 1 ELSE 0 END AS failures
    FROM iam.webhook_events
    WHERE status IN ('processing', 'pending') AND lease_until <= now()
    ORDER BY lease_until
    LIMIT ${leaseTokens.length}
    FOR UPDATE SKIP LOCKED
  ), leased AS (
    SELECT id, failures, failures >= ${MAX_ATTEMPTS} AS is_dead, (${leaseTokens}::uuid[])[row_number() OVER ()] AS token FROM due
  )
  , taken AS (
    UPDATE iam.webhook_events e
    SET attempts = failures,
        status = CASE WHEN is_dead THEN 'dead' ELSE 'processing' END,
        lease_token = CASE WHEN NOT is_dead THEN token END,
        lease_until = ${leaseEnd},
        last_error = CASE WHEN is_dead THEN 'lost with its replica' ELSE e.last_error END
    FROM leased WHERE e.id = leased.id
    RETURNING e.*
  )
  SELECT id, provider, dedupe_key, event, openid, event_at, message, raw, status, result, lease_token FROM taken`;
