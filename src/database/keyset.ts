/** Which page of a list sorted by uuid: at most `limit` rows (one more is read, which tells whether there are more) after that key. */
export interface PageRequest {
  readonly limit: number;
  readonly after: string | null;
  readonly order: 'newest' | 'oldest';
}

/** A list without its filters. `key` is the uuid v7 that it is sorted by. */
export interface ListSource {
  readonly columns: string;
  readonly from: string;
  readonly key: string;
}

/** What narrows a list down. */
export interface ListFilter {
  /** The condition, given the parameter that stands for `value`. */
  readonly sql: (parameter: string) => string;
  readonly value: unknown;
  /** Another relation that the condition joins, one row at most for each of the list. */
  readonly join?: string;
  /** That relation's column that equals the list's key: its index may bring the page in order. */
  readonly key?: string;
}

/** A statement with its parameters. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A filter whose value was given; none where it was left out. */
export function filterBy(value: unknown, sql: ListFilter['sql']): ListFilter[] {
  return value === undefined ? [] : [{ value, sql }];
}

/**
 * One page in one statement. Only the filters given are part of it, so that the planner finds the index of each; a page is
 * found by its key, so a deep one costs no more than the first.
 */
export function keysetSql(
  { columns, from, key }: ListSource,
  filters: readonly ListFilter[],
  { limit, after, order }: PageRequest,
): Statement {
  const parameters: unknown[] = [];
  const bind = (value: unknown) => `$${parameters.push(value)}`;
  const [beyond, direction] = order === 'newest' ? ['<', 'DESC'] : ['>', 'ASC'];
  const conditions = filters.map(({ sql, value }) => sql(bind(value)));
  if (after !== null) {
    const bound = `${beyond} ${bind(after)}::uuid`;
    conditions.push(
      ...[key, ...filters.flatMap((filter) => filter.key ?? [])].map((each) => `${each} ${bound}`),
    );
  }
  const relations = [from, ...filters.flatMap(({ join }) => join ?? [])].join(', ');
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const sql = `SELECT ${columns} FROM ${relations} ${where} ORDER BY ${key} ${direction} LIMIT ${bind(limit + 1)}`;
  return { sql, parameters };
}

/** A LIKE pattern for texts that begin with `prefix`, whatever wildcards it contains. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
}
