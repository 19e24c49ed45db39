import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isRecord } from '../errors/unknown.js';

/**
 * SQLSTATE classes and socket errors of an unavailable server, not of a wrong statement. 57014 is `statement_timeout`,
 * 55P03 `lock_timeout`: an overloaded server, not a defect of this module.
 */
const unavailable =
  /^(08...|53...|57014|57P0[1235]|55P03|58...|25006|25P03|ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** Messages of `pg` and its pool that have no code. */
const unavailableText =
  /Connection terminated|timeout exceeded when trying to connect|^timeout expired$|Query read timeout|not connected|not queryable/i;

/** SQLSTATE of an error thrown by `pg`, also when TypeORM wrapped it. */
export function sqlState(error: unknown): string | undefined {
  return fieldOf(error, 'code');
}

function fieldOf(error: unknown, name: 'code' | 'schema' | 'constraint' | 'routine'): string | undefined {
  if (!isRecord(error)) return undefined;
  if ('driverError' in error) return fieldOf(error['driverError'], name);
  const value = error[name];
  return typeof value === 'string' ? value : undefined;
}

/** Serialization failure, deadlock or a lost prepared statement: a new transaction may succeed. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40001' || state === '40P01' || isPreparationLost(error);
}

/**
 * A prepared statement is missing on its connection, stands there already, or would return other columns since a migration.
 * It has not run. Messages depend on `lc_messages`; 0A000 has other causes too, but not in this routine.
 */
export function isPreparationLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state === '0A000') return fieldOf(error, 'routine') === 'RevalidateCachedQuery';
  return state === '26000' || state === '42P05';
}

/**
 * Values in a statement that no column or index can hold: too long, out of range, no date, no time zone, no UUID, NUL. Other data
 * exceptions, such as a division by zero, are defects of the statement.
 */
const unstorable = /^(22001|22003|22007|22008|22009|22021|22P02|22P03|22P05|54000)$/;

/** PostgreSQL cannot store a value that a caller sent. */
export function isUnstorableValue(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && unstorable.test(state);
}

/** Another row has the unique value, often after a race. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/**
 * A row refers to a missing row, or a deleted row is still referenced. Since PostgreSQL 18, a reference with ON DELETE
 * RESTRICT raises 23001.
 */
export function isForeignKeyViolation(error: unknown): boolean {
  const state = sqlState(error);
  return state === '23503' || state === '23001';
}

/** Whether the violated foreign key belongs to a table of this module, not of the host. */
export function isOwnReference(error: unknown): boolean {
  return fieldOf(error, 'schema') === 'iam';
}

/** The name of the violated constraint; undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  return fieldOf(error, 'constraint');
}

/**
 * undefined_table, undefined_column, invalid_schema_name, undefined_function, and ON CONFLICT without its constraint. The
 * statements fit the newest migration, so it has not run, or its objects were dropped.
 */
const outdated: ReadonlySet<string | undefined> = new Set(['42P01', '42703', '3F000', '42883', '42P10']);

/** The schema lacks an object that a statement of this module needs. */
export function isSchemaOutdated(error: unknown): boolean {
  return outdated.has(sqlState(error));
}

/**
 * insufficient_privilege: the role of the connection lacks a permission on the schema, a table or a function. A trigger that raises
 * it, as that of the append-only audit log, is not meant: no grant would help the statement.
 */
export function isPermissionDenied(error: unknown): boolean {
  return sqlState(error) === '42501' && fieldOf(error, 'routine') !== 'exec_stmt_raise';
}

/** The database is read-only: a standby after a failover, or `default_transaction_read_only`. */
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

/** Retries `work`, which must be a whole transaction, at most three times with jitter after an error that is transient. */
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

/** True for text that PostgreSQL stores unchanged: it refuses NUL, and a lone surrogate becomes another character. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text);
}

/** Text that PostgreSQL can store and compare, of at most `max` UTF-16 units. */
export const plainText = (max: number) =>
  z.string().min(1).max(max).refine(isStorable, { error: 'contains NUL or half a character' });
