import type { z } from 'zod';
import { retryTransient } from './database-errors.js';
import type { DataSource, EntityManager } from 'typeorm';

/** A statement, or a part of one, with its parameter values. */
export class Sql {
  /** In the order of their placeholders. */
  readonly values: unknown[] = [];
  /** The SQL around the values: one string more than there are values. */
  readonly strings: string[];

  constructor([first = '', ...others]: readonly string[], values: readonly unknown[]) {
    const strings = [first];
    const append = (text: string) => strings.push(`${strings.pop() ?? ''}${text}`);
    values.forEach((value, index) => {
      if (value instanceof Sql) {
        const [head = '', ...rest] = value.strings;
        append(head);
        this.values.push(...value.values);
        strings.push(...rest);
        append(others[index] ?? '');
      } else {
        this.values.push(value);
        strings.push(others[index] ?? '');
      }
    });
    this.strings = strings;
  }

  /** SQL for `pg`, with `$1` for the first value. */
  get text(): string {
    return this.strings.reduce((text, string, index) => `${text}$${index}${string}`);
  }
}

/** Makes a statement from a template: an `Sql` becomes a part of it, any other value, also a string, a parameter. */
export function sql(strings: readonly string[], ...values: readonly unknown[]): Sql {
  return new Sql(strings, values);
}

/** SQL text such as the name of a column. Only for constants in the code: other text would allow SQL injection. */
export function raw(text: string): Sql {
  return new Sql([text], []);
}

/** An empty part. */
export const empty = raw('');

/** Joins parts or values, at least one. */
export function join(parts: readonly unknown[], separator = ', '): Sql {
  return new Sql(['', ...Array<string>(parts.length - 1).fill(separator), ''], parts);
}

/** Runs SQL: a `DataSource` (each statement a transaction of its own) or the `EntityManager` of a transaction. */
export interface SqlExecutor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  /** Set for an `EntityManager` in a transaction. */
  readonly queryRunner?: object | undefined;
}

/** Runs one statement without checking its rows; outside a transaction it is retried like `inTransaction`. */
export async function execute(executor: SqlExecutor, statement: Sql): Promise<unknown> {
  const run = () => executor.query(statement.text, statement.values);
  return executor.queryRunner === undefined ? retryTransient(run) : run();
}

/**
 * As `execute`, with rows parsed by `schema`. The statement must end in a SELECT or be an INSERT … RETURNING:
 * TypeORM returns `[rows, count]` for a top-level UPDATE or DELETE.
 */
export async function queryRows<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T[]> {
  return schema.array().parse(await execute(executor, statement));
}

/** As `queryRows`, for a statement with at most one row. */
export async function queryRow<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T | null> {
  const [row] = await queryRows(executor, schema, statement);
  return row ?? null;
}

/** True when a statement, as `queryRows` takes it, gives a row: it has changed one, say. */
export async function hasRow(executor: SqlExecutor, statement: Sql): Promise<boolean> {
  const rows = await execute(executor, statement);
  return Array.isArray(rows) && rows.length > 0;
}

/** Runs `work` in one transaction, and retries the whole of it after a deadlock or serialization failure. */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryTransient(() => dataSource.transaction(work));
}
