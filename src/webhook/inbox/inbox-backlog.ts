import { z } from 'zod';
import { queryRow, type SqlExecutor, sql } from '../../database/sql.js';

/** How far behind the inbox is. */
export interface InboxBacklog {
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
