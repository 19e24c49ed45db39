/** What runs SQL in a test: a `DataSource` or a runner of its own. */
export interface SqlSource {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/** The rows of a statement, as plain records. */
export async function rowsOf(
  source: SqlSource,
  sql: string,
  parameters: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const rows: unknown = await source.query(sql, parameters);
  return Array.isArray(rows) ? rows.filter(isRecord) : [];
}

/** The first column of the first row. */
export async function valueOf(source: SqlSource, sql: string, parameters: unknown[] = []): Promise<unknown> {
  const [row = {}] = await rowsOf(source, sql, parameters);
  return Object.values(row)[0];
}

/** How many statements of this database wait for another's lock. */
export async function countWaiting(source: SqlSource): Promise<unknown> {
  return valueOf(
    source,
    `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
