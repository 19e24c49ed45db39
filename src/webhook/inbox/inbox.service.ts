import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { empty, execute, hasRow, queryRow, queryRows, sql, type Sql } from '../../database/sql.js';
import { insertInboxEvent, type InboxEvent, type InboxState } from './webhook-event.entity.js';

/** Attempts before an event becomes a dead letter. */
const MAX_ATTEMPTS = 5;

/** Seconds of a lease. A live replica renews its leases, so a dead one keeps an event no longer than this. */
const LEASE_SECONDS = 10;

const leaseEnd = sql`now() + make_interval(secs => ${LEASE_SECONDS}::int)`;

/** The result of an event so far; kept with it, so that a repeated delivery gets the same reply. */
export type InboxResult = Readonly<Record<string, unknown>>;

/** An event that this replica holds until the lease ends. */
export interface LeasedEvent {
  readonly leaseToken: string;
  readonly event: InboxEvent;
  /** The result of earlier attempts. */
  readonly result: InboxResult | null;
}

/** A new event, or one that was delivered before: with its result, which is null while the event is processed. */
type Intake =
  | { readonly kind: 'new'; readonly leased: LeasedEvent }
  | { readonly kind: 'duplicate'; readonly result: InboxResult | null };

const result = z.record(z.string(), z.unknown()).nullable();
const status = z.object({ status: z.enum(['pending', 'done', 'dead']) });
const intakeRow = z.object({ id: z.string().nullable(), result });
const dueRow = z.object({
  provider: z.string(),
  dedupeKey: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  eventAt: z.date(),
  message: z.record(z.string(), z.unknown()),
  raw: z.instanceof(Buffer).nullable(),
  result,
  /** Null for a dead letter. */
  leaseToken: z.string().nullable(),
});

/** WeChat's events from their commit to their end: each in one row, each row with one holder at a time. */
@Injectable()
export class Inbox {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Commits an event that has no handler, with its effect. One round trip. */
  async keep(event: InboxEvent, effect?: Sql): Promise<void> {
    await this.insert(event, { status: 'done' }, effect);
  }

  /** Commits a push that cannot be processed; false when it was delivered before. One round trip. */
  async bury(event: InboxEvent, error: string): Promise<boolean> {
    return (await this.insert(event, { status: 'dead', error })).id !== null;
  }

  /** Commits an event with its effect, and leases it to the caller when it is new. One round trip. */
  async take(event: InboxEvent, effect?: Sql): Promise<Intake> {
    const leaseToken = randomUUID();
    const state = { status: 'processing', leaseToken, leaseSeconds: LEASE_SECONDS } as const;
    const { id, result } = await this.insert(event, state, effect);
    if (id === null) return { kind: 'duplicate', result };
    return { kind: 'new', leased: { leaseToken, event, result: null } };
  }

  /** False when another replica holds the event by now. */
  finish({ event, leaseToken }: LeasedEvent, result: InboxResult): Promise<boolean> {
    const finished = sql`
      WITH finished AS (
        UPDATE iam.webhook_events
        SET status = 'done', result = ${JSON.stringify(result)}, lease_token = NULL, lease_until = NULL, last_error = NULL
        WHERE dedupe_key = ${event.dedupeKey} AND lease_token = ${leaseToken} AND status = 'processing'
        RETURNING status
      ) SELECT status FROM finished`;
    return hasRow(this.dataSource, finished);
  }

  /**
   * Keeps the result so far. The next attempt waits 2, 8, 32, then 128 seconds.
   * @returns `dead` after the last attempt; null when another replica holds the event by now
   */
  async fail({ event, leaseToken }: LeasedEvent, result: InboxResult, reason: string) {
    const failed = sql`
      WITH failed AS (
        UPDATE iam.webhook_events
        SET attempts = attempts + 1, status = CASE WHEN attempts + 1 < ${MAX_ATTEMPTS} THEN 'pending' ELSE 'dead' END,
            lease_token = NULL, lease_until = now() + make_interval(secs => 2 * 4 ^ attempts),
            result = ${JSON.stringify(result)}, last_error = ${reason}
        WHERE dedupe_key = ${event.dedupeKey} AND lease_token = ${leaseToken} AND status = 'processing'
        RETURNING status
      ) SELECT status FROM failed`;
    return (await queryRow(this.dataSource, status, failed))?.status ?? null;
  }

  /**
   * Up to `most` events that are due or were lost with their replica, leased to the caller. A lease that ran out counts as a
   * failed attempt, so that an event which ends the process each time becomes a dead letter too: `dead`, instead of being tried once more.
   */
  async takeDue(most: number): Promise<{ readonly leased: LeasedEvent[]; readonly dead: InboxEvent[] }> {
    const tokens = Array.from({ length: most }, () => randomUUID());
    const rows = await queryRows(
      this.dataSource,
      dueRow,
      sql`
        /* background */ WITH due AS (
          SELECT dedupe_key, attempts + CASE WHEN status = 'processing' THEN 1 ELSE 0 END AS failures
          FROM iam.webhook_events
          WHERE status IN ('processing', 'pending') AND lease_until <= now()
          ORDER BY lease_until
          LIMIT ${most}
          FOR UPDATE SKIP LOCKED
        ), leased AS (
          SELECT dedupe_key, failures, failures >= ${MAX_ATTEMPTS} AS is_dead, (${tokens}::uuid[])[row_number() OVER ()] AS token FROM due
        ), taken AS (
          UPDATE iam.webhook_events e
          SET attempts = failures,
              status = CASE WHEN is_dead THEN 'dead' ELSE 'processing' END,
              lease_token = CASE WHEN NOT is_dead THEN token END,
              lease_until = ${leaseEnd},
              last_error = CASE WHEN is_dead THEN 'lost with its replica' ELSE e.last_error END
          FROM leased WHERE e.dedupe_key = leased.dedupe_key
          RETURNING e.*
        )
        SELECT provider, dedupe_key AS "dedupeKey", event, openid, event_at AS "eventAt", message, raw, result,
               lease_token AS "leaseToken" FROM taken`,
    );
    return {
      leased: rows.flatMap(({ leaseToken, result, ...event }) =>
        leaseToken === null ? [] : [{ leaseToken, result, event }],
      ),
      dead: rows.filter(({ leaseToken }) => leaseToken === null),
    };
  }

  /** Extends the leases of events that are still processed. */
  async renew(leaseTokens: readonly string[]): Promise<void> {
    await execute(
      this.dataSource,
      sql`
        /* background */ UPDATE iam.webhook_events SET lease_until = ${leaseEnd}
        WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'`,
    );
  }

  /** Makes unfinished events due at once, for any replica. */
  async release(leaseTokens: readonly string[]): Promise<void> {
    await execute(
      this.dataSource,
      sql`
        UPDATE iam.webhook_events SET status = 'pending', lease_token = NULL, lease_until = now()
        WHERE lease_token = ANY (${leaseTokens}::uuid[]) AND status = 'processing'`,
    );
  }

  /**
   * `id` is null for an event that is there already. `effect`, a statement that reads from `inserted`, takes effect once with
   * the event.
   */
  private async insert(event: InboxEvent, state: InboxState, effect?: Sql) {
    const inserted = sql`
      WITH inserted AS (${insertInboxEvent(event, state)})${effect === undefined ? empty : sql`, effect AS (${effect})`}
      SELECT (SELECT id FROM inserted) AS id, e.result
      FROM (VALUES (1)) AS one LEFT JOIN iam.webhook_events e ON e.dedupe_key = ${event.dedupeKey}`;
    const row = await queryRow(this.dataSource, intakeRow, inserted);
    return row ?? { id: null, result: null };
  }
}
