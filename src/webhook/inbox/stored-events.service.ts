import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { filterBy, keysetSql, type PageRequest } from '../../database/sql-fragments.js';
import { queryRow, queryRows, sql, join, raw, type SqlExecutor } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { insertAudit } from '../../audit/record-audit.js';
import type { WebhookEventStatus } from './webhook-event.entity.js';

const filters = ['status', 'provider', 'openid', 'event'] as const;

/** Conditions on the list of events; all of them must hold. */
type EventFilter = Readonly<Partial<Record<(typeof filters)[number], string | undefined>>>;

const status = z.enum(['processing', 'pending', 'done', 'dead']);
const listed = z.object({
  id: z.string(),
  provider: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  status,
  attempts: z.number(),
  last_error: z.string().nullable(),
  event_at: z.date(),
  received_at: z.date(),
  next_attempt_at: z.date().nullable(),
});
const jsonObject = z.record(z.string(), z.unknown());
const detailed = listed.extend({
  message: jsonObject,
  raw: z.instanceof(Buffer).nullable(),
  result: jsonObject.nullable(),
});
const summary = z.object({
  pending: z.number(),
  processing: z.number(),
  dead: z.number(),
  done: z.number(),
  oldest_unprocessed_seconds: z.number().nullable(),
});

/** An event as a list shows it. */
export type ListedEvent = z.infer<typeof listed>;

/** An event with its message and the result of its handlers. */
export type DetailedEvent = z.infer<typeof detailed>;

/** Counting stops here: a larger number would cost more and say no more. */
const MOST_COUNTED = 10_000;

const columns = sql`
  e.id, e.provider, e.event, e.openid, e.status, e.attempts, e.last_error, e.event_at, e.received_at,
  CASE WHEN e.status = 'pending' THEN e.lease_until END AS next_attempt_at`;

const countOf = (name: string) =>
  sql`(SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = ${raw(`'${name}'`)} ORDER BY id LIMIT ${MOST_COUNTED}) counted)
   AS ${raw(name)}`;

/** The inbox as administrators see it. */
@Injectable()
export class StoredEvents {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** One round trip. */
  async page(filter: EventFilter, page: PageRequest): Promise<ListedEvent[]> {
    const source = { columns, from: sql`iam.webhook_events e`, key: 'e.id' };
    const conditions = filters.flatMap((name) =>
      filterBy(filter[name], (value) => sql`e.${raw(name)} = ${value}`),
    );
    return queryRows(this.dataSource, listed, keysetSql(source, conditions, page));
  }

  /** Null for an unknown or malformed id. */
  async find(id: string): Promise<DetailedEvent | null> {
    const one = sql`SELECT ${columns}, e.message, e.raw, e.result FROM iam.webhook_events e WHERE e.id = ${id}`;
    return isUuid(id) ? queryRow(this.dataSource, detailed, one) : null;
  }

  /** The number of events in each state, and the age of the oldest open one. One round trip. */
  async summarize(): Promise<z.infer<typeof summary>> {
    const row = await queryRow(
      this.dataSource,
      summary,
      sql`
        SELECT ${join(['pending', 'processing', 'dead', 'done'].map(countOf), ', ')},
               (SELECT CASE WHEN count(*) > 0 THEN GREATEST(0, extract(epoch FROM now() - min(received_at)))::int END
                FROM iam.webhook_events WHERE status IN ('processing', 'pending')) AS oldest_unprocessed_seconds`,
    );
    if (row === null) throw new Error('a SELECT without FROM has a row');
    return row;
  }

  /**
   * Makes a dead event pending again, for any replica, from where it failed; with `evenIfDone` also one that was processed,
   * from the beginning. An open event stays as it is. The audit entry is written only if the event changes.
   * @returns its state before; null when there is no such event
   */
  async replay(
    id: string,
    { evenIfDone }: { readonly evenIfDone: boolean },
  ): Promise<WebhookEventStatus | null> {
    if (!isUuid(id)) return null;
    const detail = sql`jsonb_build_object('event_id', replayed.id, 'event', replayed.event, 'status', replayed.status)`;
    const row = await queryRow(
      this.dataSource,
      z.object({ status }),
      sql`
        WITH earlier AS (
          SELECT id, status FROM iam.webhook_events WHERE id = ${id} FOR UPDATE
        ), replayed AS (
          UPDATE iam.webhook_events e
          SET status = 'pending', attempts = 0, lease_token = NULL, lease_until = now(),
              result = CASE WHEN earlier.status = 'dead' THEN e.result END
          FROM earlier
          WHERE e.id = earlier.id AND (earlier.status = 'dead' OR (earlier.status = 'done' AND ${evenIfDone}::boolean))
          RETURNING e.id, e.provider, e.event, earlier.status
        ), audited AS (
          ${insertAudit({ action: 'event.replayed' }, { from: sql`replayed`, provider: sql`replayed.provider`, detail })}
        )
        SELECT status FROM earlier`,
    );
    return row?.status ?? null;
  }
}

const backlog = z.object({ oldestSeconds: z.number().nullable(), dead: z.number() });

/**
 * How far behind the inbox is: the age of the oldest open event in seconds, null without one, and the dead letters of the last 30
 * days, up to 1000. One round trip, by indexes, however many events there are.
 */
export async function readInboxBacklog(executor: SqlExecutor): Promise<z.infer<typeof backlog>> {
  const row = await queryRow(
    executor,
    backlog,
    sql`
      /* background */ SELECT
        (SELECT GREATEST(0, extract(epoch FROM now() - received_at))::float8
         FROM iam.webhook_events WHERE status IN ('processing', 'pending') ORDER BY received_at LIMIT 1) AS "oldestSeconds",
        (SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = 'dead' ORDER BY id LIMIT 1000) counted) AS dead`,
  );
  return row ?? { oldestSeconds: null, dead: 0 };
}
