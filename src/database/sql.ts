import type { z } from 'zod';
import { retryTransient } from './database-errors.js';
import type { DataSource, EntityManager } from 'typeorm';

/** A statement, or a part of one, with the values of its parameters where they stand. */
export class Sql {
  /** In the order of their places. */
  readonly values: unknown[] = [];
  /** What stands around the values: one text more than there are values. */
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

  /** As `pg` takes it: `$1` for the first value. */
  get text(): string {
    return this.strings.reduce((text, string, index) => `${text}$${index}${string}`);
  }
}

/** A statement from a template: a value becomes a parameter, another `Sql` a part. A string is a value, never SQL. */
export function sql(strings: readonly string[], ...values: readonly unknown[]): Sql {
  return new Sql(strings, values);
}

/** SQL that is no parameter, such as the name of a column: only from constants of the code. */
export function raw(text: string): Sql {
  return new Sql([text], []);
}

/** Nothing. */
export const empty = raw('');

/** Parts or values one after the other; there must be one at least. */
export function join(parts: readonly unknown[], separator = ', '): Sql {
  return new Sql(['', ...Array<string>(parts.length - 1).fill(separator), ''], parts);
}

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

/** Runs `work` in one transaction; the whole of it again when it lost a race that a fresh transaction may win. */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryTransient(() => dataSource.transaction(work));
}
