import type { z } from 'zod';

/** What can run SQL: a `DataSource` (its own connection per statement) or the `EntityManager` of a transaction. */
export interface SqlExecutor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/**
 * One round trip whose rows are checked by `schema`. The statement must end in a SELECT or be an INSERT … RETURNING:
 * TypeORM returns `[rows, count]` for a top-level UPDATE or DELETE.
 */
export async function queryRows<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  sql: string,
  parameters: readonly unknown[],
): Promise<T[]> {
  const rows = await executor.query(sql, [...parameters]);
  return schema.array().parse(rows);
}

/** As `queryRows`, for a statement that yields at most one row. */
export async function queryRow<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  sql: string,
  parameters: readonly unknown[],
): Promise<T | null> {
  const [row] = await queryRows(executor, schema, sql, parameters);
  return row ?? null;
}
