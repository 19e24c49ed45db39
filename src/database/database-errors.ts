import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/**
 * SQLSTATE classes and socket errors that mean "PostgreSQL cannot do it now", not "the statement is wrong". 57014 is
 * `statement_timeout`, 55P03 `lock_timeout`: an overloaded server, not a fault of ours.
 */
const unavailable =
  /^(08...|53...|57014|57P0[1235]|55P03|58...|25006|25P03|ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** What `pg` and its pool say without a code. */
const unavailableText =
  /Connection terminated|timeout exceeded when trying to connect|^timeout expired$|Query read timeout|not connected|not queryable/i;

/** SQLSTATE of an error thrown by `pg`, also when TypeORM wrapped it. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('driverError' in error) return sqlState(error.driverError);
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The statement lost a race that a fresh transaction may win: serialization failure or deadlock. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01';
}

/**
 * Values that came as far as a statement and that no column or index holds: too long, out of range, no date, no UUID, NUL.
 * Other data exceptions, such as a division by zero, are faults of the statement.
 */
const unstorable = /^(22001|22003|22007|22008|22021|22P02|22P03|22P05|54000)$/;

/** A value, as a caller sent it, that PostgreSQL cannot hold. */
export function isUnstorableValue(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && unstorable.test(state);
}

/** A unique constraint decided a race. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/**
 * A row refers to one that is not there, or one that goes is still referred to: 23001 where the reference says ON DELETE
 * RESTRICT, from PostgreSQL 18 on.
 */
export function isForeignKeyViolation(error: unknown): boolean {
  const state = sqlState(error);
  return state === '23503' || state === '23001';
}

/** Whether the reference that is violated is one of the module's own tables', not of the host's. */
export function isOwnReference(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if ('driverError' in error) return isOwnReference(error.driverError);
  return 'schema' in error && error.schema === 'iam';
}

/** The constraint that a statement violated; undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('driverError' in error) return violatedConstraint(error.driverError);
  return 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : undefined;
}

/**
 * undefined_table, undefined_column, invalid_schema_name, undefined_function, and ON CONFLICT without its constraint. Our
 * statements are right by the newest migration, so it has not run, or what it made is gone.
 */
const outdated: ReadonlySet<string | undefined> = new Set(['42P01', '42703', '3F000', '42883', '42P10']);

/** The schema lacks something that a statement of ours needs. */
export function isSchemaOutdated(error: unknown): boolean {
  return outdated.has(sqlState(error));
}

/** insufficient_privilege: the role of the connection lacks a permission on the schema, a table or a function. */
export function isPermissionDenied(error: unknown): boolean {
  return sqlState(error) === '42501';
}

/** The database takes no changes: a standby after a failover, or `default_transaction_read_only`. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === '25006';
}

/** PostgreSQL is down, restarting, read-only, out of connections or too slow for the host's timeouts. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined && unavailable.test(state)) return true;
  return error instanceof Error && unavailableText.test(error.message);
}

const ATTEMPTS = 4;

/** Runs `work` again, at most three times and with jitter, after a deadlock or serialization failure; it must be a whole transaction. */
export async function retryTransient<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || attempt === ATTEMPTS) throw error;
      await delay(Math.random() * 20 * attempt);
    }
  }
}

/** True for text that PostgreSQL keeps as it is: no NUL, which it refuses, and no lone surrogate, which arrives as another character. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text);
}

/** Text that PostgreSQL can hold and compare, of at most `max` UTF-16 units. */
export const plainText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, { error: 'contains NUL or half a character' });
