import type { DataSource } from 'typeorm';
import { iamMigrations } from '../../migrations/index.js';
import {
  OWN_TABLE,
  pendingMigrations,
  runMigrations,
  runOwnMigrations,
} from '../../src/database/iam-migrations.js';
import type { Command, Result } from '../command.js';
import { findSchemaGaps } from '../../src/health/schema-watch.service.js';
import { withDatabase } from '../database.js';
import type { Environment } from '../environment.js';
import { CommandError, UsageError } from '../errors.js';

/** Creates and updates the schema `iam`. */
export const migrateCommand: Command = {
  name: 'migrate',
  description: {
    en: `Runs the migrations that this database has not seen, in one transaction: all of them or none. Started several times at
once, also beside an application that runs them itself, one does the work and the others find it done. The database user
must be allowed to create a schema.`,
    zh: `在一个事务中执行该数据库尚未执行过的迁移：要么全部成功，要么都不执行。可以同时启动多次，也可以与自行执行迁移的应用同时运行：
一个执行，其余的发现已经完成。数据库用户必须有创建 schema 的权限。`,
  },
  parameters: [],
  options: {
    'dry-run': {
      summary: { en: 'only list what would run; changes nothing', zh: '只列出将要执行的迁移，不做任何修改' },
    },
    'migrations-table': {
      value: 'NAME',
      summary: {
        en: "TypeORM's table, if your DataSource has another `migrationsTableName` (default migrations); iam.migrations for the option `database`, the default once it is there",
        zh: 'TypeORM 的表，DataSource 改过 `migrationsTableName` 时使用（默认 migrations）；用选项 `database` 时写 iam.migrations，该表已存在时即为默认',
      },
    },
    'moved-from': {
      value: 'NAME',
      summary: {
        en: 'with iam.migrations: the table that knew the migrations before (default public.migrations)',
        zh: '与 iam.migrations 一起使用：之前记录迁移的表（默认 public.migrations）',
      },
    },
  },
  variables: ['DATABASE_URL'],
  example: 'DATABASE_URL=postgres://app:…@localhost:5432/app npx nestjs-wechat-iam migrate',
  async run({ arguments: given, environment }) {
    const named = given.value('migrations-table');
    const movedFrom = given.value('moved-from') ?? 'public.migrations';
    for (const [option, table] of Object.entries({ 'migrations-table': named, 'moved-from': movedFrom }))
      if (table !== undefined && !/^(\w+\.)?\w+$/.test(table))
        throw new UsageError(`--${option}: expected the name of a table, such as iam.migrations`);
    const table = await chooseTable(environment, named);
    const [migrationsTableName = '', schema] = table.split('.').reverse();
    return withDatabase(
      environment,
      (dataSource) =>
        given.has('dry-run') ? listPending(dataSource, table) : migrate(dataSource, table, movedFrom),
      { migrationsTableName, ...(schema !== undefined && { schema }) },
    );
  },
};

async function chooseTable(environment: Environment, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const isOwn = await withDatabase(environment, async (dataSource) => {
    const [first] = await pendingMigrations(dataSource, OWN_TABLE);
    return first !== iamMigrations[0]?.name;
  });
  return isOwn ? OWN_TABLE : 'migrations';
}

async function listPending(dataSource: DataSource, table: string): Promise<Result> {
  const pending = await pendingMigrations(dataSource, table);
  if (pending.length === 0) await requireWhole(dataSource);
  return {
    json: { pending },
    text:
      pending.length === 0 ? 'Nothing to run: the tables are up to date.' : `Would run:\n${list(pending)}`,
  };
}

async function migrate(dataSource: DataSource, table: string, movedFrom: string): Promise<Result> {
  const ran =
    table === OWN_TABLE ? await runOwnMigrations(dataSource, movedFrom) : await runMigrations(dataSource);
  await requireWhole(dataSource);
  return {
    json: { executed: ran },
    text: ran.length === 0 ? 'Nothing to do: the tables are up to date.' : `Ran:\n${list(ran)}`,
  };
}

/** TypeORM runs no migration twice, so what was dropped since then must be restored by hand. */
async function requireWhole(dataSource: DataSource): Promise<void> {
  const { missing } = await findSchemaGaps(dataSource);
  if (missing.length > 0)
    throw new CommandError(
      'schema_incomplete',
      `No migration is pending, and the schema iam lacks what they have made:\n${list(missing)}\nRestore it from a backup, or with the statements of the migration that makes it. The names of triggers may be of disabled ones.`,
    );
}

function list(names: readonly string[]): string {
  return names.map((name) => `  ${name}`).join('\n');
}
