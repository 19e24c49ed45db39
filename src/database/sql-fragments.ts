import { sql, empty, join, raw, type Sql } from './sql.js';

/** Which page of a list sorted by uuid: at most `limit` rows (one more is read, which tells whether there are more) after that key. */
export interface PageRequest {
  readonly limit: number;
  readonly after: string | null;
  readonly order: 'newest' | 'oldest';
}

/** A list without its filters. `key` is the column, a uuid v7, that it is sorted by. */
export interface ListSource {
  readonly columns: Sql;
  readonly from: Sql;
  readonly key: string;
}

/** What narrows a list down. */
export interface ListFilter {
  readonly condition: Sql;
  /** Another relation that the condition joins, one row at most for each of the list. */
  readonly join?: Sql;
  /** That relation's column that equals the list's key: its index may bring the page in order. */
  readonly key?: string;
}

/** A filter whose value was given; none where it was left out. */
export function filterBy<T>(value: T | undefined, conditionOf: (value: T) => Sql): ListFilter[] {
  return value === undefined ? [] : [{ condition: conditionOf(value) }];
}

/**
 * One page in one statement. Only the filters given are part of it, so that the planner finds the index of each; a page is
 * found by its key, so a deep one costs no more than the first.
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

/** A LIKE pattern for texts that begin with `prefix`, whatever wildcards it contains. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
}

/**
 * Computes the version of a row of `relation`: 32 hex digits, which any change of any column changes, except of those that
 * nobody edits.
 */
export function versionSql(relation: string, ...except: readonly string[]): Sql {
  const left = except.map((column) => ` - '${column}'`).join('');
  return raw(`md5((to_jsonb(${relation})${left})::text)`);
}

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
