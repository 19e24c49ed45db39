import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { iamMigrations } from '../../migrations/index.js';
import { execute, queryRow, queryRows, sql, raw } from './sql.js';

/** Advisory lock, "iam cli " in ASCII; differs from that of the migrations themselves. */
const LOCK = '7593470432597797152';

/** TypeORM's table of executed migrations for a connection of the module's own. */
export const ownBookkeeping = { schema: 'iam', migrationsTableName: 'migrations' } as const;

/** A table name for SQL: `iam.migrations` → `"iam"."migrations"`. */
const quoteTable = (table: string): string =>
  table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

/** The names of all migrations, oldest first. */
export const migrationNames: readonly string[] = iamMigrations.map((Migration) => new Migration().name);

/** Migrations that the table does not list, oldest first; all of them when the table is missing. */
export async function pendingMigrations(dataSource: DataSource, table: string): Promise<string[]> {
  if (!(await exists(dataSource, table))) return [...migrationNames];
  const executed = await namesIn(dataSource, table);
  return migrationNames.filter((name) => !executed.includes(name));
}

/** Runs pending migrations under a lock: TypeORM creates its table without one, so that two runs would collide. */
export async function runMigrations(dataSource: DataSource): Promise<string[]> {
  return locked(dataSource, async () => (await dataSource.runMigrations()).map(({ name }) => name));
}

/**
 * As `runMigrations`, but records migrations in `iam.migrations`, also on an empty database. Copies the entries of another
 * table of TypeORM (`movedFrom`) first, so that no migration runs twice; that table stays unchanged.
 * @throws Error when the module's tables exist and neither table lists their migrations
 */
export async function runOwnMigrations(dataSource: DataSource, movedFrom: string): Promise<string[]> {
  const problem = await locked(dataSource, () => prepareBookkeeping(dataSource, movedFrom));
  if (problem !== null) throw new Error(problem);
  return runMigrations(dataSource);
}

/** The table in which a connection of the module's own records its migrations. */
export const OWN_TABLE = `${ownBookkeeping.schema}.${ownBookkeeping.migrationsTableName}`;

/** Tables that may list executed migrations, quoted for SQL: TypeORM's for this connection, and the module's own. */
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
  if (await exists(dataSource, movedFrom))
    await execute(
      dataSource,
      sql`INSERT INTO iam.migrations ("timestamp", name)
        SELECT "timestamp", name FROM ${raw(quoteTable(movedFrom))} WHERE name = ANY(${migrationNames}) ORDER BY "timestamp"`,
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
