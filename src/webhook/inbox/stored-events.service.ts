import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { filterBy, keysetSql, type ListFilter, type PageRequest } from '../../database/sql-fragments.js';
import { queryRow, queryRows, sql, join, raw, type Sql, type SqlExecutor } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { insertAudit } from '../../audit/record-audit.js';
import type { WebhookEventStatus } from './webhook-event.entity.js';

/** How the list of events is narrowed down; all that are given must be met. */
interface InboxFilter {
  readonly status?: string | undefined;
  readonly provider?: string | undefined;
  readonly openid?: string | undefined;
  readonly event?: string | undefined;
}

const listed = z.object({
  id: z.string(),
  provider: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  status: z.enum(['processing', 'pending', 'done', 'dead']),
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

/** An event with what WeChat sent and what came of it. */
export type DetailedEvent = z.infer<typeof detailed>;

/** How many events there are in each state, and how old the oldest is that is not worked off. */
type InboxSummary = z.infer<typeof summary>;

/** Counting stops here: that there are more is all one needs to know, and must not cost more. */
const MOST_COUNTED = 10_000;

const columns = sql`
  e.id, e.provider, e.event, e.openid, e.status, e.attempts, e.last_error, e.event_at, e.received_at,
  CASE WHEN e.status = 'pending' THEN e.lease_until END AS next_attempt_at`;

const countOf = (status: string) =>
  sql`(SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = ${raw(`'${status}'`)} ORDER BY id LIMIT ${MOST_COUNTED}) counted)
   AS ${raw(status)}`;

const summarySql = sql`
  SELECT ${join(['pending', 'processing', 'dead', 'done'].map(countOf), ', ')},
         (SELECT CASE WHEN count(*) > 0 THEN GREATEST(0, extract(epoch FROM now() - min(received_at)))::int END
          FROM iam.webhook_events WHERE status IN ('processing', 'pending')) AS oldest_unprocessed_seconds`;

/** The inbox as administrators see it. */
@Injectable()
export class InboxList {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** One round trip. */
  async page(filter: InboxFilter, page: PageRequest): Promise<ListedEvent[]> {
    const source = { columns, from: sql`iam.webhook_events e`, key: 'e.id' };
    return queryRows(this.dataSource, listed, keysetSql(source, filtersOf(filter), page));
  }

  /** Null: no event has this id, or it is none at all. */
  async find(id: string): Promise<DetailedEvent | null> {
    const one = sql`SELECT ${columns}, e.message, e.raw, e.result FROM iam.webhook_events e WHERE e.id = ${id}`;
    return isUuid(id) ? queryRow(this.dataSource, detailed, one) : null;
  }

  /** One round trip. */
  async summarize(): Promise<InboxSummary> {
    const row = await queryRow(this.dataSource, summary, summarySql);
    if (row === null) throw new Error('a SELECT without FROM has a row');
    return row;
  }
}

function filtersOf({ status, provider, openid, event }: InboxFilter): ListFilter[] {
  return [
    ...filterBy(status, (name) => sql`e.status = ${name}`),
    ...filterBy(provider, (slug) => sql`e.provider = ${slug}`),
    ...filterBy(openid, (text) => sql`e.openid = ${text}`),
    ...filterBy(event, (name) => sql`e.event = ${name}`),
  ];
}

const replayed = z.object({ status: z.enum(['processing', 'pending', 'done', 'dead']) });

/**
 * The audit entry is written when the event is taken up again. What was given up goes on where it failed; what was worked off
 * begins anew. `status` is that of before.
 */
const replaySql = (id: string, evenIfDone: boolean): Sql => sql`
  WITH asked AS (
    SELECT id, status FROM iam.webhook_events WHERE id = ${id} FOR UPDATE
  ), replayed AS (
    UPDATE iam.webhook_events e
    SET status = 'pending', attempts = 0, lease_token = NULL, lease_until = now(),
        result = CASE WHEN asked.status = 'dead' THEN e.result END
    FROM asked WHERE e.id = asked.id AND (asked.status = 'dead' OR (asked.status = 'done' AND ${evenIfDone}::boolean))
    RETURNING e.id, e.provider, e.event, asked.status
  ), audited AS (
    ${insertAudit(
      { action: 'event.replayed' },
      {
        from: sql`replayed`,
        provider: sql`replayed.provider`,
        detail: sql`jsonb_build_object('event_id', replayed.id, 'event', replayed.event, 'status', replayed.status)`,
      },
    )}
  )
  SELECT status FROM asked`;

/** Has events worked on once more, by whichever replica gets there. */
@Injectable()
export class EventReplay {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /**
   * Takes up an event that was given up; with `evenIfDone` also one that was worked off. One that waits anyway stays as it is.
   * @returns its state before; null when there is no such event
   */
  async replay(
    id: string,
    { evenIfDone }: { readonly evenIfDone: boolean },
  ): Promise<WebhookEventStatus | null> {
    if (!isUuid(id)) return null;
    return (await queryRow(this.dataSource, replayed, replaySql(id, evenIfDone)))?.status ?? null;
  }
}

/** How far behind the inbox is. */
interface InboxBacklog {
  /** Age of the oldest event that is not worked off, in seconds; null when there is none. */
  readonly oldestSeconds: number | null;
  /** Events that were given up in the last 30 days; no more than 1000 are counted. */
  readonly dead: number;
}

const row = z.object({ oldest: z.number().nullable(), dead: z.number() });

const backlogSql = sql`
  /* background */ SELECT
    (SELECT GREATEST(0, extract(epoch FROM now() - received_at))::float8
     FROM iam.webhook_events WHERE status IN ('processing', 'pending') ORDER BY received_at LIMIT 1) AS oldest,
    (SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = 'dead' ORDER BY id LIMIT 1000) given_up) AS dead`;

/** One round trip, by indexes, however many events there are. */
export async function readInboxBacklog(executor: SqlExecutor): Promise<InboxBacklog> {
  const found = await queryRow(executor, row, backlogSql);
  return { oldestSeconds: found?.oldest ?? null, dead: found?.dead ?? 0 };
}
