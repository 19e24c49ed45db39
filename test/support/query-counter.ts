import pg from 'pg';
import { z } from 'zod';

/** One round trip. */
export interface SentStatement {
  /** Of a prepared statement. */
  readonly name?: string;
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/**
 * What has gone to PostgreSQL through the `pg` driver, in order, transaction statements included; each entry is one round trip.
 * Statements marked as background work, which no request waits for, are left out.
 */
export interface QueryCounter {
  /** The number of statements so far, to be given to `since`. */
  mark(): number;
  /** The texts of the statements sent after the mark. */
  since(mark: number): readonly string[];
  /** The same with their parameters. */
  statementsSince(mark: number): readonly SentStatement[];
  /** Ends the counting. */
  stop(): void;
}

const textOf = (query: unknown): string => {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
};

/** A prepared statement is an object with its name and values. */
function preparationOf([query, values]: readonly unknown[]) {
  const { name, values: own } = z
    .object({ name: z.string(), values: z.array(z.unknown()) })
    .partial()
    .catch({})
    .parse(query);
  return { name, parameters: own ?? (Array.isArray(values) ? (values as unknown[]) : []) };
}

/** What every replica asks of its own accord, whether anybody signs in or not. */
export const isHousekeeping = (sql: string): boolean =>
  /\bSKIP LOCKED\b/.test(sql) || sql.includes('FROM "iam"."identity_providers"');

/** Counts every statement of this process, or only those to the database that `url` names. */
export function countQueries(url?: string): QueryCounter {
  const database = url === undefined ? undefined : new URL(url).pathname.slice(1);
  const sent: SentStatement[] = [];
  const original: unknown = Reflect.get(pg.Client.prototype, 'query');
  if (typeof original !== 'function') throw new TypeError('pg.Client has no query method');
  const counting = function (this: pg.Client, ...args: unknown[]): unknown {
    const text = textOf(args[0]);
    const isCounted = database === undefined || this.database === database;
    const { name, parameters } = preparationOf(args);
    if (isCounted && !text.includes('/* background */'))
      sent.push({ text, parameters, ...(name !== undefined && { name }) });
    return Reflect.apply(original, this, args);
  };
  Reflect.set(pg.Client.prototype, 'query', counting);
  return {
    mark: () => sent.length,
    since: (mark) => sent.slice(mark).map(({ text }) => text),
    statementsSince: (mark) => sent.slice(mark),
    stop: () => {
      if (Reflect.get(pg.Client.prototype, 'query') === counting)
        Reflect.set(pg.Client.prototype, 'query', original);
    },
  };
}
