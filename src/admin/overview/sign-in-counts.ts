import { z } from 'zod';
import { firstIdOf } from '../../audit/audit-list.js';
import type { AuditAction } from '../../audit/audit-actions.js';
import { join, queryRows, raw, sql, type SqlExecutor } from '../../database/sql.js';

/** The entries that end an attempt. A refusal that has no entry of its own is in the `count` of one. */
const outcomes = {
  'login.authenticated': 'signed_in',
  'user.signed_up': 'signed_up',
  'login.failed': 'failed',
  'login.denied': 'denied',
  'login.number_denied': 'denied',
} as const satisfies Partial<Record<AuditAction, string>>;

/** Entries of one action that are read at most, the newest: more would cost more than a page of numbers is worth. */
const MOST_READ = 20_000;
const WEEK_MS = 7 * 86_400_000;

/** Sign-ins of one way and outcome. */
export const signInCount = z.object({
  method: z.string().describe('`open`, `mp`, `follow` …'),
  outcome: z.enum(['signed_in', 'signed_up', 'failed', 'denied']),
  error: z.string().nullable().describe('The error code, where it failed'),
  day: z.int().describe('In the last 24 hours'),
  week: z.int().describe('In the last seven days'),
});

const row = signInCount.omit({ outcome: true }).extend({
  action: z.custom<keyof typeof outcomes>((value) => typeof value === 'string' && value in outcomes),
  is_complete: z.boolean(),
});

const newestOf = (action: string, since: string) => sql`
  (SELECT action, at, detail, row_number() OVER () AS place FROM (
     SELECT a.action, a.at, a.detail FROM iam.audit_log a
     WHERE a.action = ${raw(`'${action}'`)} AND a.id >= ${since}::uuid ORDER BY a.id DESC LIMIT ${MOST_READ}::int
   ) newest)`;

/** Counts by the index of actions. Where one has more entries than are read, the numbers are lower bounds. */
export async function countSignIns(executor: SqlExecutor, now: number) {
  const since = firstIdOf(now - WEEK_MS);
  const read = join(
    Object.keys(outcomes).map((action) => newestOf(action, since)),
    ' UNION ALL ',
  );
  const rows = await queryRows(
    executor,
    row,
    sql`
    WITH read AS (${read})
    SELECT action, COALESCE(detail->>'method', 'follow') AS method, detail->>'error' AS error,
           COALESCE(sum(COALESCE((detail->>'count')::int, 1)) FILTER (WHERE at > now() - interval '1 day'), 0)::int AS day,
           sum(COALESCE((detail->>'count')::int, 1))::int AS week,
           max(place) < ${MOST_READ}::int AS is_complete
    FROM read GROUP BY 1, 2, 3 ORDER BY week DESC`,
  );
  return {
    items: rows.map(({ action, method, error, day, week }) => ({
      method,
      outcome: outcomes[action],
      error,
      day,
      week,
    })),
    isComplete: rows.every(({ is_complete: isComplete }) => isComplete),
  };
}
