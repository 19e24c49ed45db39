import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type MigrationInterface } from 'typeorm';
import { iamEntities, iamMigrations } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { migrated as template } from '../support/templates.js';
import { LogCapture } from '../support/log-capture.js';
import { rowsOf, valueOf, type SqlSource } from '../support/rows.js';

const execute = promisify(execFile);

const tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'iam' ORDER BY 1`;
const executed = 'SELECT name FROM migrations ORDER BY timestamp';
/** Without partitions, which have no entities: they are made as their parents are. */
const checks = `
  SELECT conrelid::regclass::text AS relation, conname, pg_get_constraintdef(c.oid) AS definition
  FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
  WHERE connamespace = 'iam'::regnamespace AND contype IN ('c', 'u', 'f') AND NOT relispartition ORDER BY 1, 2`;
const columns = `
  SELECT table_name, column_name, data_type, is_nullable
  FROM information_schema.columns JOIN pg_class ON relname = table_name AND relnamespace = 'iam'::regnamespace
  WHERE table_schema = 'iam' AND NOT relispartition ORDER BY 1, 2`;

/** Our entities are kept out of a host's `synchronize`; here it tells whether they match. */
function letSynchronize({ entityMetadatas }: DataSource): void {
  for (const metadata of entityMetadatas) metadata.synchronize = true;
}

/** Fails after the schema is made, as a replica that dies would. */
class FailingMigration1999000000000 implements MigrationInterface {
  readonly name = 'FailingMigration1999000000000';
  async up(): Promise<void> {
    throw new Error('the host’s own migration fails');
  }
  async down(): Promise<void> {
    throw new Error('never applied');
  }
}

describe('the migrations of the iam schema', () => {
  let database: TestDatabase;
  const open: DataSource[] = [];

  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    for (const dataSource of open.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
    await database.drop();
  });

  const migrations = [...iamMigrations];
  const names = async (source: SqlSource) => (await rowsOf(source, executed)).map(({ name }) => name);

  function source(changes: { migrations?: (new () => MigrationInterface)[]; synchronize?: boolean } = {}) {
    const dataSource = new DataSource({
      type: 'postgres',
      url: database.url,
      entities: iamEntities,
      migrations,
      ...changes,
    });
    open.push(dataSource);
    return dataSource;
  }

  const migrated = async () => {
    const dataSource = await source().initialize();
    await dataSource.runMigrations();
    return dataSource;
  };

  it('make the very columns and constraints that the entities would make', async () => {
    const byMigrations = await migrated();
    const made = [await rowsOf(byMigrations, columns), await rowsOf(byMigrations, checks)];
    await byMigrations.query('DROP SCHEMA iam CASCADE; CREATE SCHEMA iam');

    const byEntities = await source({ migrations: [] }).initialize();
    letSynchronize(byEntities);
    await byEntities.synchronize();

    expect(await rowsOf(byEntities, columns)).toEqual(made[0]);
    expect(await rowsOf(byEntities, checks)).toEqual(made[1]);
  });

  it('go up, down to nothing, and up again', async () => {
    const dataSource = await migrated();
    const made = await rowsOf(dataSource, tables);

    const undo = () => dataSource.undoLastMigration();
    await migrations.reduce((earlier) => earlier.then(undo), Promise.resolve());
    const left = await valueOf(dataSource, `SELECT to_regnamespace('iam')`);
    await dataSource.runMigrations();

    expect(made.length).toBeGreaterThan(10);
    expect(left).toBeNull();
    expect(await rowsOf(dataSource, tables)).toEqual(made);
  });

  it('run once when five hosts start together on an empty database', async () => {
    const typeOrm = () =>
      TypeOrmModule.forRoot({
        type: 'postgres',
        url: database.url,
        entities: iamEntities,
        migrations,
        migrationsRun: true,
        retryDelay: 50,
      });
    const replica = () =>
      Test.createTestingModule({ imports: [typeOrm()] })
        .setLogger(new LogCapture())
        .compile();

    const replicas = await Promise.all(Array.from({ length: 5 }, replica));

    expect(await names(replicas[0]?.get(DataSource) ?? source())).toEqual(migrations.map(({ name }) => name));
    await Promise.all(replicas.map((each) => each.close()));
  });

  it('run once when five replicas update a database that TypeORM knows', async () => {
    await (await source({ migrations: [] }).initialize()).runMigrations();
    const replicas = await Promise.all(Array.from({ length: 5 }, () => source().initialize()));

    await Promise.all(replicas.map((replica) => replica.runMigrations()));

    expect(await names(replicas[0] ?? source())).toEqual(migrations.map(({ name }) => name));
  });

  it('leave nothing behind when one of the host fails after them', async () => {
    const failing = await source({ migrations: [...migrations, FailingMigration1999000000000] }).initialize();

    await expect(failing.runMigrations()).rejects.toThrow('the host’s own migration fails');

    expect(await valueOf(failing, `SELECT to_regnamespace('iam')`)).toBeNull();
    expect(await names(failing)).toEqual([]);
  });

  it('are shown and run by the TypeORM command line', async () => {
    const cli = (command: string) =>
      execute(
        process.execPath,
        [
          '--import',
          './test/support/register-typescript.mjs',
          'node_modules/typeorm/cli.js',
          '-d',
          'ormconfig.ts',
          command,
        ],
        { env: { ...process.env, DATABASE_URL: database.url } },
      );

    const before = await cli('migration:show');
    await cli('migration:run');
    const after = await cli('migration:show');

    for (const { name } of migrations) {
      expect(before.stdout).toContain(`[ ] ${name}`);
      expect(after.stdout).toMatch(new RegExp(`\\[X\\] \\d+ ${name}`));
    }
  });
});

describe('a database that the migrations of the iam schema have made', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeEach(async () => {
    database = await createDatabase(template);
    dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      entities: iamEntities,
    }).initialize();
  });
  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('leaves nothing for TypeORM to change', async () => {
    letSynchronize(dataSource);

    const log = await dataSource.driver.createSchemaBuilder().log();

    expect(log.upQueries.map(({ query }) => query)).toEqual([]);
  });

  it.each([
    'UPDATE iam.audit_log SET action = action',
    'DELETE FROM iam.audit_log',
    'TRUNCATE iam.audit_log',
  ])('has an audit log that is append-only: %s', async (statement) => {
    await dataSource.query(
      `INSERT INTO iam.audit_log (id, action) VALUES (gen_random_uuid(), 'user.created')`,
    );

    await expect(dataSource.query(statement)).rejects.toThrow('append-only');

    expect(await valueOf(dataSource, 'SELECT count(*)::int FROM iam.audit_log')).toBe(1);
  });

  it('lets a row be written by hand without an id', async () => {
    await dataSource.query(`INSERT INTO iam.identity_providers (slug, name) VALUES ('wechat', '微信')`);

    expect(await valueOf(dataSource, 'SELECT id FROM iam.identity_providers')).toMatch(/^[0-9a-f-]{36}$/);
  });
});
