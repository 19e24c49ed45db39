import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { iamMigrations } from '../../migrations/index.js';
import { execute, queryRow, queryRows, sql, raw } from './sql.js';

/** Not the number that the migrations themselves lock: "iam cli " in ASCII. */
const LOCK = '7593470432597797152';

/** Where TypeORM notes executed migrations of a connection that the module makes itself. */
export const ownBookkeeping = { schema: 'iam', migrationsTableName: 'migrations' } as const;

/** A table name for SQL: `iam.migrations` → `"iam"."migrations"`. */
export const quoteTable = (table: string): string =>
  table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

/** The migrations that the table does not know, oldest first; all of them when there is no such table. */
export async function pendingMigrations(dataSource: DataSource, table: string): Promise<string[]> {
  const names = iamMigrations.map((Migration) => new Migration().name);
  if (!(await exists(dataSource, table))) return names;
  const executed = new Set(await namesIn(dataSource, table));
  return names.filter((name) => !executed.has(name));
}

/** Runs what is pending; the lock makes a second run wait, since TypeORM creates its own table without one. */
export async function runMigrations(dataSource: DataSource): Promise<string[]> {
  return locked(dataSource, async () => (await dataSource.runMigrations()).map(({ name }) => name));
}

/**
 * As `runMigrations`, with the bookkeeping in `iam.migrations`, also on an empty database. What another table of TypeORM
 * (`movedFrom`) says of the tables that are there already is taken over, so that nothing runs twice; that table stays as it is.
 * @throws Error when the tables are there and neither table knows by which migrations
 */
export async function runOwnMigrations(dataSource: DataSource, movedFrom: string): Promise<string[]> {
  const problem = await locked(dataSource, () => prepareBookkeeping(dataSource, movedFrom));
  if (problem !== null) throw new Error(problem);
  return runMigrations(dataSource);
}

/** The name of the only table that a connection of the module's own writes its migrations to. */
export const OWN_TABLE = `${ownBookkeeping.schema}.${ownBookkeeping.migrationsTableName}`;

/** Where executed migrations of ours may be noted, quoted for SQL: TypeORM's table of this connection, and our own. */
export function bookkeepingTables({ options }: DataSource): string[] {
  const { migrationsTableName = 'migrations' } = options;
  const schema = 'schema' in options ? options.schema : undefined;
  const table = schema === undefined ? migrationsTableName : `${schema}.${migrationsTableName}`;
  return [...new Set([table, OWN_TABLE])].map(quoteTable);
}

async function prepareBookkeeping(dataSource: DataSource, movedFrom: string): Promise<string | null> {
  await execute(dataSource, sql`CREATE SCHEMA IF NOT EXISTS iam`);
  await execute(
    dataSource,
    sql`CREATE TABLE IF NOT EXISTS iam.migrations (
      id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name character varying NOT NULL)`,
  );
  const isFresh = (await namesIn(dataSource, OWN_TABLE)).length === 0;
  if (!isFresh || !(await exists(dataSource, 'iam.identity_providers'))) return null;
  const names = iamMigrations.map((Migration) => new Migration().name);
  if (await exists(dataSource, movedFrom))
    await execute(
      dataSource,
      sql`INSERT INTO iam.migrations ("timestamp", name)
        SELECT "timestamp", name FROM ${raw(quoteTable(movedFrom))} WHERE name = ANY(${names}) ORDER BY "timestamp"`,
    );
  if ((await namesIn(dataSource, OWN_TABLE)).length > 0) return null;
  return `the tables of the schema iam are there, but neither iam.migrations nor ${movedFrom} says by which migrations: name TypeORM's table, as in \`nestjs-wechat-iam migrate --migrations-table iam.migrations --moved-from public.migrations\``;
}

async function locked<T>(dataSource: DataSource, work: () => Promise<T>): Promise<T> {
  return dataSource.transaction(async (manager) => {
    await execute(manager, sql`SELECT pg_advisory_xact_lock(${raw(LOCK)})`);
    return work();
  });
}

async function exists(dataSource: DataSource, table: string): Promise<boolean> {
  const found = z.object({ found: z.boolean() });
  const named = sql`SELECT to_regclass(${quoteTable(table)}) IS NOT NULL AS found`;
  return (await queryRow(dataSource, found, named))?.found === true;
}

async function namesIn(dataSource: DataSource, table: string): Promise<string[]> {
  const rows = await queryRows(
    dataSource,
    z.object({ name: z.string() }),
    sql`SELECT name FROM ${raw(quoteTable(table))}`,
  );
  return rows.map(({ name }) => name);
}
