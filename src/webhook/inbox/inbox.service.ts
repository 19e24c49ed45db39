import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { sql, empty, type Sql, execute, queryRow, queryRows } from '../../database/sql.js';
import { insertInboxEvent, type InboxEvent, type InboxState } from './webhook-event.entity.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';

/** Attempts before an event is given up. */
const MAX_ATTEMPTS = 5;

/** Seconds that an event stays with whoever took it: a replica that lives renews, so a dead one keeps it no longer. */
const LEASE_SECONDS = 10;

const leaseEnd = sql`now() + make_interval(secs => ${LEASE_SECONDS}::int)`;

/** Which event, and by which lease it is held. */
interface HeldEvent {
  readonly id: string;
  readonly leaseToken: string;
}

/**
 * Inserts an event. `id` is null for one that is there already, and `status` too when the other delivery is being committed
 * at this moment. `effect`, a statement that reads from `inserted`, takes effect once with the event.
 */
const intakeSql = (event: InboxEvent, state: InboxState, effect?: Sql): Sql => sql`
  WITH inserted AS (${insertInboxEvent(event, state)})${effect === undefined ? empty : sql`, effect AS (${effect})`}
  SELECT (SELECT id FROM inserted) AS id, e.status, e.result
  FROM (VALUES (1)) AS one LEFT JOIN iam.webhook_events e ON e.dedupe_key = ${event.dedupeKey}`;

/** No row: somebody else holds the event by now. */
const finishSql = ({ id, leaseToken }: HeldEvent, result: object): Sql => sql`
  WITH finished AS (
    UPDATE iam.webhook_events
    SET status = 'done', result = ${JSON.stringify(result)}, lease_token = NULL, lease_until = NULL, last_error = NULL
    WHERE id = ${id} AND lease_token = ${leaseToken} AND status = 'processing'
    RETURNING status
  ) SELECT status FROM finished`;

/** With the result so far. The next attempt waits 2, 8, 32, then 128 seconds. */
const failSql = ({ id, leaseToken }: HeldEvent, result: object, reason: string): Sql => sql`
  WITH failed AS (
    UPDATE iam.webhook_events
    SET attempts = attempts + 1, status = CASE WHEN attempts + 1 < ${MAX_ATTEMPTS} THEN 'pending' ELSE 'dead' END,
        lease_token = NULL, lease_until = now() + make_interval(secs => 2 * 4 ^ attempts),
        result = ${JSON.stringify(result)}, last_error = ${reason}
    WHERE id = ${id} AND lease_token = ${leaseToken} AND status = 'processing'
    RETURNING status
  ) SELECT status FROM failed`;

/** Events that are still being worked on. */
const renewSql = (leaseTokens: readonly string[]): Sql => sql`
  /* background */ WITH renewed AS (
    UPDATE iam.webhook_events SET lease_until = ${leaseEnd}
    WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM renewed`;

/** What this replica leaves unfinished is there for the next one at once. */
const releaseSql = (leaseTokens: readonly string[]): Sql => sql`
  WITH released AS (
    UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()
    WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'
    RETURNING id
  ) SELECT id FROM released`;

/**
 * Takes due events, with a lease token for each that may be taken. A lease that ran out was lost with its replica and counts
 * as a failed attempt, so that an event which ends the process each time is given up too.
 */
const takeDueSql = (leaseTokens: readonly string[]): Sql => sql`
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

/** What an event led to so far; kept with it, so that a repeated delivery is answered alike. */
export type InboxResult = Readonly<Record<string, unknown>>;

/** An event that this replica holds until the lease ends. */
export interface LeasedEvent extends HeldEvent {
  readonly event: InboxEvent;
  /** What earlier attempts left. */
  readonly result: InboxResult | null;
}

/** An event that is new, or was delivered before: with its result, which is null while it is being worked on. */
type Intake =
  | { readonly kind: 'new'; readonly leased: LeasedEvent }
  | { readonly kind: 'duplicate'; readonly result: InboxResult | null };

/** Events whose time has come, and those that were given up instead of tried once more. */
interface DueEvents {
  readonly leased: readonly LeasedEvent[];
  readonly dead: readonly InboxEvent[];
}

const result = z.record(z.string(), z.unknown()).nullable();
const status = z.object({ status: z.string() });
const intakeRow = z.object({ id: z.string().nullable(), status: z.string().nullable(), result });
const dueRow = z.object({
  id: z.string(),
  provider: z.string(),
  dedupe_key: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  event_at: z.date(),
  message: z.record(z.string(), z.unknown()),
  raw: z.instanceof(Buffer).nullable(),
  status: z.string(),
  result,
  lease_token: z.string().nullable(),
});

/** WeChat's events from their commit to their end: every one in a row, every row with one holder at a time. */
@Injectable()
export class Inbox {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Commits an event that nobody has to work on, with its effect. One round trip. */
  async keep(event: InboxEvent, effect?: Sql): Promise<void> {
    await execute(this.dataSource, intakeSql(event, { status: 'done' }, effect));
  }

  /** Commits a push that cannot be worked on; false when it was delivered before. One round trip. */
  async bury(event: InboxEvent, error: string): Promise<boolean> {
    const row = await queryRow(this.dataSource, intakeRow, intakeSql(event, { status: 'dead', error }));
    return row?.id != null;
  }

  /** Commits an event with its effect, and leases it to the caller when it is new. One round trip. */
  async take(event: InboxEvent, effect?: Sql): Promise<Intake> {
    const leaseToken = randomUUID();
    const state = { status: 'processing', leaseToken, leaseSeconds: LEASE_SECONDS } as const;
    const row = await queryRow(this.dataSource, intakeRow, intakeSql(event, state, effect));
    const id = row?.id ?? null;
    if (id === null) return { kind: 'duplicate', result: row?.result ?? null };
    return { kind: 'new', leased: { id, leaseToken, event, result: null } };
  }

  /** False when somebody else holds the event by now. */
  async finish(leased: LeasedEvent, outcome: InboxResult): Promise<boolean> {
    return (await queryRow(this.dataSource, status, finishSql(leased, outcome))) !== null;
  }

  /** `dead` after the last attempt; null when somebody else holds the event by now. */
  async fail(leased: LeasedEvent, outcome: InboxResult, reason: string): Promise<'pending' | 'dead' | null> {
    const row = await queryRow(this.dataSource, status, failSql(leased, outcome, reason));
    if (row === null) return null;
    return row.status === 'dead' ? 'dead' : 'pending';
  }

  /** Up to `most` events that wait or were lost with their replica, leased to the caller. */
  async takeDue(most: number): Promise<DueEvents> {
    const tokens = Array.from({ length: most }, () => randomUUID());
    const rows = await queryRows(this.dataSource, dueRow, takeDueSql(tokens));
    return {
      leased: rows.flatMap((row) =>
        row.lease_token === null
          ? []
          : [{ id: row.id, leaseToken: row.lease_token, event: toEvent(row), result: row.result }],
      ),
      dead: rows.filter((row) => row.status === 'dead').map(toEvent),
    };
  }

  /** Keeps what is still being worked on. */
  async renew(leaseTokens: readonly string[]): Promise<void> {
    await execute(this.dataSource, renewSql(leaseTokens));
  }

  /** Gives up what will not be finished here. */
  async release(leaseTokens: readonly string[]): Promise<void> {
    await execute(this.dataSource, releaseSql(leaseTokens));
  }
}

function toEvent(row: z.infer<typeof dueRow>): InboxEvent {
  return {
    provider: row.provider,
    dedupeKey: row.dedupe_key,
    event: row.event,
    openid: row.openid,
    eventAt: row.event_at,
    message: row.message,
    raw: row.raw,
  };
}
