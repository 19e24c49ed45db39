import type { DataSource } from 'typeorm';
import { z } from 'zod';
import { iamMigrations } from '../../migrations/index.js';
import { queryRow, queryRows } from '../../src/database/query-rows.js';
import type { Command, Result } from '../command.js';
import { withDatabase } from '../data-source.js';
import { UsageError } from '../errors.js';

/** Not the number that the migrations themselves lock: "iam cli " in ASCII. */
const LOCK = '7593470432597797152';

/** Creates and updates the schema `iam`. */
export const migrateCommand: Command = {
  name: 'migrate',
  description: `Runs the migrations that this database has not seen, in one transaction: all of them or none. Started several times at
once, also beside an application that runs them itself, one does the work and the others find it done. The database user
must be allowed to create a schema.`,
  parameters: [],
  options: {
    'dry-run': { summary: 'only list what would run; changes nothing' },
    'migrations-table': {
      value: 'NAME',
      summary: "TypeORM's table, if your DataSource has another `migrationsTableName` (default migrations)",
    },
  },
  variables: ['DATABASE_URL'],
  example: 'DATABASE_URL=postgres://app:…@localhost:5432/app npx nestjs-wechat-iam migrate',
  async run({ arguments: given, environment }) {
    const table = given.value('migrations-table') ?? 'migrations';
    if (!/^\w+$/.test(table)) throw new UsageError('--migrations-table: expected the name of a table');
    const work = given.has('dry-run') ? listPending : migrate;
    return withDatabase(environment, (dataSource) => work(dataSource, table), { migrationsTableName: table });
  },
};

async function listPending(dataSource: DataSource, table: string): Promise<Result> {
  const pending = await pendingNames(dataSource, table);
  return {
    json: { pending },
    text:
      pending.length === 0 ? 'Nothing to run: the tables are up to date.' : `Would run:\n${list(pending)}`,
  };
}

/** The lock makes a second run wait: TypeORM creates its own table without one. */
async function migrate(dataSource: DataSource): Promise<Result> {
  const executed = await dataSource.transaction(async (manager) => {
    await manager.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    return dataSource.runMigrations();
  });
  const ran = executed.map(({ name }) => name);
  return {
    json: { executed: ran },
    text: ran.length === 0 ? 'Nothing to do: the tables are up to date.' : `Ran:\n${list(ran)}`,
  };
}

async function pendingNames(dataSource: DataSource, table: string): Promise<string[]> {
  const names = iamMigrations.map((Migration) => new Migration().name);
  const exists = await queryRow(
    dataSource,
    z.object({ found: z.boolean() }),
    'SELECT to_regclass($1) IS NOT NULL AS found',
    [`"${table}"`],
  );
  if (exists?.found !== true) return names;
  const rows = await queryRows(dataSource, z.object({ name: z.string() }), `SELECT name FROM "${table}"`, []);
  const executed = new Set(rows.map(({ name }) => name));
  return names.filter((name) => !executed.has(name));
}

function list(names: readonly string[]): string {
  return names.map((name) => `  ${name}`).join('\n');
}
