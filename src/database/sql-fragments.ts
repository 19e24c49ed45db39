import { sql, raw, type Sql } from './sql.js';

/**
 * Computes the version of a row of `relation`: 32 hex digits that change with any column, except those in `except`, which
 * no request edits.
 */
export function versionSql(relation: string, ...except: readonly string[]): Sql {
  const left = except.map((column) => ` - '${column}'`).join('');
  return raw(`md5((to_jsonb(${relation})${left})::text)`);
}

/**
 * A sign-in within this time after an event of WeChat counts as earlier than the event. One second is for `CreateTime`,
 * which has whole seconds; the rest covers the difference between PostgreSQL's clock and WeChat's, which NTP keeps smaller.
 * A person who withdraws an authorization and signs in again within it must sign in once more.
 */
const SKEW = sql`interval '5 seconds'`;

/** The latest time, by PostgreSQL's clock, to which an event of this time applies; never in the future beyond the skew. */
export const eventHorizonSql = (eventAt: Date | null): Sql =>
  sql`LEAST(${eventAt}::timestamptz, now()) + ${SKEW}`;

/** A time of PostgreSQL's clock that precedes every later event of WeChat in spite of the skew. */
export const nowForEventsSql = sql`now() - ${SKEW}`;
