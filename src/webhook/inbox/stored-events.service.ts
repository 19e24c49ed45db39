import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { plainText } from '../../database/database-errors.js';
import { defineList, equal, rowId, rowTime } from '../../database/list.js';
import { queryRow, sql, join, raw, type SqlExecutor } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { IamError } from '../../errors/iam.error.js';
import { insertAudit } from '../../audit/record-audit.js';

const status = z.enum(['processing', 'pending', 'done', 'dead']);
const statusRow = z.object({ status });
const row = z.object({
  id: rowId,
  provider: z.string(),
  event: z.string(),
  openid: z.string().nullable(),
  status,
  attempts: z.int(),
  last_error: z.string().nullable(),
  event_at: rowTime,
  received_at: rowTime,
  next_attempt_at: rowTime.nullable(),
});
const jsonObject = z.record(z.string(), z.unknown());

/** An event with its message and the result of its handlers. */
export const detailedEvent = row.extend({
  message: jsonObject,
  raw: z
    .instanceof(Buffer)
    .transform((bytes) => bytes.toString('base64'))
    .meta({ type: 'string' })
    .nullable()
    .describe('A push that could not be read, as it came, in base64; null for every other'),
  result: jsonObject.nullable(),
});

/** How many events are in each state, and the age of the oldest open one. */
export const eventSummary = z.object({
  counts: z.object({ pending: z.int(), processing: z.int(), dead: z.int(), done: z.int() }),
  oldest_unprocessed_seconds: z.int().nullable(),
});

/**
 * Counting stops here: a larger number would cost more and say no more. As a parameter, a prepared statement would be planned for
 * a tenth of the table.
 */
const mostCounted = raw('LIMIT 1000');

const columns = sql`
  e.id, e.provider, e.event, e.openid, e.status, e.attempts, e.last_error, e.event_at, e.received_at,
  CASE WHEN e.status = 'pending' THEN e.lease_until END AS next_attempt_at`;

const countOf = (name: string) =>
  sql`${raw(`'${name}'`)},
      (SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = ${raw(`'${name}'`)} ORDER BY id ${mostCounted}) counted)`;

const firstOf = (name: string) =>
  sql`(SELECT received_at FROM iam.webhook_events WHERE status = ${raw(`'${name}'`)} ORDER BY id LIMIT 1)`;

/** Two probes of an index, however long the backlog is. Null without an open event. */
const oldestOpenSeconds = sql`(SELECT max(GREATEST(0, extract(epoch FROM now() - received_at)))
                FROM (${firstOf('processing')} UNION ALL ${firstOf('pending')}) first)`;

/** The inbox as administrators search it. */
export const eventList = defineList(
  { row, columns, from: sql`iam.webhook_events e`, key: 'e.id' },
  {
    status: equal('e.status', status.describe('dead: given up after the last attempt, or not readable')),
    provider: equal('e.provider', plainText(64).describe('Slug of an identity provider')),
    openid: equal('e.openid', plainText(128)),
    event: equal('e.event', plainText(128).describe('`Event` of an event, `MsgType` of a message')),
  },
);

/** The inbox as administrators see it. */
@Injectable()
export class StoredEvents {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** @throws IamError `not_found` */
  async get(id: string): Promise<z.infer<typeof detailedEvent>> {
    const one = sql`SELECT ${columns}, e.message, e.raw, e.result FROM iam.webhook_events e WHERE e.id = ${id}`;
    const event = isUuid(id) ? await queryRow(this.dataSource, detailedEvent, one) : null;
    if (event === null) throw new IamError('not_found', 'no such event');
    return event;
  }

  /** One round trip. */
  async summarize(): Promise<z.infer<typeof eventSummary>> {
    const row = await queryRow(
      this.dataSource,
      eventSummary,
      sql`
        SELECT jsonb_build_object(${join(['pending', 'processing', 'dead', 'done'].map(countOf), ', ')}) AS counts,
               ${oldestOpenSeconds}::int AS oldest_unprocessed_seconds`,
    );
    if (row === null) throw new Error('a SELECT without FROM has a row');
    return row;
  }

  /**
   * Makes a dead event pending again, for any replica, from where it failed; with `evenIfDone` also one that was processed,
   * from the beginning. An open event stays as it is. The audit entry is written only if the event changes.
   * @throws IamError `not_found`, `event_done`
   */
  async replay(id: string, { evenIfDone }: { readonly evenIfDone: boolean }): Promise<void> {
    if (!isUuid(id)) throw new IamError('not_found', 'not the id of an event');
    const detail = sql`jsonb_build_object('event_id', replayed.id, 'event', replayed.event, 'status', replayed.status)`;
    const row = await queryRow(
      this.dataSource,
      statusRow,
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
    if (row === null) throw new IamError('not_found', 'no such event');
    if (row.status === 'done' && !evenIfDone) throw new IamError('event_done', `event ${id} was processed`);
  }
}

const backlog = z.object({ oldestSeconds: z.number().nullable(), dead: z.number() });

/**
 * How far behind the inbox is: the age of the oldest open event in seconds, null without one, and the dead letters of the last 30
 * days, up to 1,000. One round trip, by indexes, however many events there are.
 */
export async function readInboxBacklog(executor: SqlExecutor): Promise<z.infer<typeof backlog>> {
  const row = await queryRow(
    executor,
    backlog,
    sql`
      /* background */ SELECT
        ${oldestOpenSeconds}::float8 AS "oldestSeconds",
        (SELECT count(*)::int FROM (SELECT 1 FROM iam.webhook_events WHERE status = 'dead' ORDER BY id ${mostCounted}) counted) AS dead`,
  );
  return row ?? { oldestSeconds: null, dead: 0 };
}
