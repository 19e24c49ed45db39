import { readFileSync } from 'node:fs';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { iamMigrations } from '../../../migrations/index.js';
import type { DatabaseTemplate } from '../database.js';
import { migrationSource } from '../templates.js';

/** By timestamp, which version of an edited migration a database got: the n-th fixture, or the file of today. */
type Versions = Readonly<Record<string, 1 | 2 | 3 | 'today'>>;

/** Databases as of 0.1.0-dev states: what had run when somebody stopped to update. */
export const earlySchemas: readonly (readonly [string, Versions])[] = [
  ['before scans', { 1764000000000: 1, 1764000001000: 1 }],
  ['with scans', { 1764000000000: 'today', 1764000001000: 1, 1764000002000: 'today' }],
  ['with permissions', upTo3(1)],
  ['with indexes for lists', upTo3(2)],
  ['with erasure', { ...upTo3(3), 1764000004000: 'today' }],
  ['with links by follow', { ...upTo3('today'), 1764000004000: 'today' }],
  // One that was updated at each of these times, so it has the first version of everything.
  ['updated early and often', { ...upTo3(1), 1764000000000: 1, 1764000001000: 1, 1764000004000: 'today' }],
];

function upTo3(third: 1 | 2 | 3 | 'today'): Versions {
  return { 1764000000000: 'today', 1764000001000: 'today', 1764000002000: 'today', 1764000003000: third };
}

/** The migrations that make such a database, under the names that TypeORM remembers them by. */
export function migrationsOf(versions: Versions): (new () => MigrationInterface)[] {
  return iamMigrations.flatMap((Today) => {
    const { name } = new Today();
    const [timestamp = '', version] =
      Object.entries(versions).find(([timestamp]) => name.endsWith(timestamp)) ?? [];
    if (version === undefined) return [];
    return version === 'today' ? Today : oldMigration(name, readSql(timestamp, version));
  });
}

/** Such a database. */
export const earlyDatabase = (versions: Versions): DatabaseTemplate => ({
  key: `early ${JSON.stringify(versions)}\n${migrationSource}`,
  prepare: async (url) => {
    const source = new DataSource({ type: 'postgres', url, migrations: migrationsOf(versions) });
    await source.initialize();
    await source.runMigrations().finally(() => source.destroy());
  },
});

const titles: Readonly<Record<string, string>> = {
  1764000000000: 'create-iam-schema',
  1764000001000: 'add-webhook-inbox',
  1764000003000: 'add-administration',
};

function readSql(timestamp: string, version: number): string {
  const file = `${timestamp}-${titles[timestamp] ?? ''}.${version}.sql`;
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

function oldMigration(name: string, sql: string): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = name;
    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql);
    }
    async down(): Promise<void> {
      return Promise.reject(new Error('the migrations of today undo it'));
    }
  };
}
