import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { execute, queryRow, queryRows, type Sql } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import type { InboxEvent } from './inbox-statements.js';
import {
  failSql,
  finishSql,
  type HeldEvent,
  intakeSql,
  LEASE_SECONDS,
  releaseSql,
  renewSql,
  takeDueSql,
} from './queue-statements.js';

/** What an event led to so far; kept with it, so that a repeated delivery is answered alike. */
export type InboxResult = Readonly<Record<string, unknown>>;

/** An event that this replica holds until the lease ends. */
export interface LeasedEvent extends HeldEvent {
  readonly event: InboxEvent;
  /** What earlier attempts left. */
  readonly result: InboxResult | null;
}

/** An event that is new, or was delivered before: with its result, which is null while it is being worked on. */
export type Intake =
  | { readonly kind: 'new'; readonly leased: LeasedEvent }
  | { readonly kind: 'duplicate'; readonly result: InboxResult | null };

/** Events whose time has come, and those that were given up instead of tried once more. */
export interface DueEvents {
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
