import { sql, type Sql } from './sql.js';

/**
 * Seconds after an event of WeChat's in which what began counts as earlier. `CreateTime` has whole seconds, which takes one;
 * the rest is for PostgreSQL's clock and WeChat's, which NTP keeps closer than that. Nobody withdraws an authorization and
 * signs in again within it, and if somebody did, they would sign in once more.
 */
const SKEW = sql`interval '5 seconds'`;

/** The last moment, by PostgreSQL's clock, that an event of this time may be about; none says anything about the future. */
export const eventHorizonSql = (eventAt: Date | null): Sql =>
  sql`LEAST(${eventAt}::timestamptz, now()) + ${SKEW}`;

/** A moment of PostgreSQL's clock that no later event of WeChat's may seem to precede. */
export const nowForEventsSql = sql`now() - ${SKEW}`;
