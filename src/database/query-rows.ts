import type { z } from 'zod';
import { retryTransient } from './retry-transient.js';
import type { Sql } from './sql.js';

/** What can run SQL: a `DataSource` (each statement a transaction of its own) or the `EntityManager` of a transaction. */
export interface SqlExecutor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  /** What an `EntityManager` in a transaction has. */
  readonly queryRunner?: object | undefined;
}

/** One round trip whose rows, if any, do not matter; repeated like `inTransaction` when it is its own transaction. */
export async function execute(executor: SqlExecutor, statement: Sql): Promise<unknown> {
  const run = () => executor.query(statement.text, statement.values);
  return executor.queryRunner === undefined ? retryTransient(run) : run();
}

/**
 * As `execute`, with rows that are checked by `schema`. The statement must end in a SELECT or be an INSERT … RETURNING:
 * TypeORM returns `[rows, count]` for a top-level UPDATE or DELETE.
 */
export async function queryRows<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T[]> {
  return schema.array().parse(await execute(executor, statement));
}

/** As `queryRows`, for a statement that yields at most one row. */
export async function queryRow<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T | null> {
  const [row] = await queryRows(executor, schema, statement);
  return row ?? null;
}
