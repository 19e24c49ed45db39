import { sql, empty, join, raw, type Sql } from './sql.js';

/** A page of a list sorted by uuid: at most `limit` rows after the key `after`. One more row is read to detect a next page. */
export interface PageRequest {
  readonly limit: number;
  readonly after: string | null;
  readonly order: 'newest' | 'oldest';
}

/** A list without its filters. `key` is its sort column, a uuid v7. */
export interface ListSource {
  readonly columns: Sql;
  readonly from: Sql;
  readonly key: string;
}

/** A condition on the rows of a list. */
export interface ListFilter {
  readonly condition: Sql;
  /** Another relation in the condition, with at most one row for each row of the list. */
  readonly join?: Sql;
  /** The relation's column that equals the list's key: its index may return the page in order. */
  readonly key?: string;
}

/** The filter for a value; none for undefined. */
export function filterBy<T>(value: T | undefined, conditionOf: (value: T) => Sql): ListFilter[] {
  return value === undefined ? [] : [{ condition: conditionOf(value) }];
}

/**
 * Selects one page. Contains only the given filters, so that the planner finds the index of each; a page starts at its key,
 * so that a late page costs no more than the first.
 */
export function keysetSql(
  { columns, from, key }: ListSource,
  filters: readonly ListFilter[],
  { limit, after, order }: PageRequest,
): Sql {
  const [beyond, direction] = order === 'newest' ? [raw('<'), raw('DESC')] : [raw('>'), raw('ASC')];
  const conditions = filters.map(({ condition }) => condition);
  if (after !== null) {
    const keys = [key, ...filters.flatMap((filter) => filter.key ?? [])];
    conditions.push(...keys.map((each) => sql`${raw(each)} ${beyond} ${after}::uuid`));
  }
  const relations = join([from, ...filters.flatMap((filter) => filter.join ?? [])], ', ');
  const where = conditions.length === 0 ? empty : sql`WHERE ${join(conditions, ' AND ')}`;
  return sql`SELECT ${columns} FROM ${relations} ${where} ORDER BY ${raw(key)} ${direction} LIMIT ${limit + 1}`;
}

/** A LIKE pattern for texts that start with `prefix`, with its wildcards escaped. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
}

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
