import { DataSource } from 'typeorm';
import { iamMigrations } from '../../migrations/index.js';
import { earlySchemas, migrationsOf } from '../support/old-migrations/states.js';
import { recordOf, startOperator, type Operator } from './support/operator.js';
import { commandProcess } from './support/run-command.js';

const names = iamMigrations.map((Migration) => new Migration().name);

describe('nestjs-wechat-iam migrate', () => {
  let operator: Operator;

  beforeEach(async () => {
    operator = await startOperator({ isEmpty: true });
  });
  afterEach(() => operator.close());

  it('lists what it would run without touching the database, runs it, and then has nothing to do', async () => {
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: names });
    expect(await operator.query(`SELECT 1 FROM pg_class WHERE relname IN ('migrations', 'users')`)).toEqual(
      [],
    );

    const first = await operator.run(['migrate']);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toBe(`Ran:\n${names.map((name) => `  ${name}\n`).join('')}`);

    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect(await operator.json(['migrate'])).toEqual({ executed: [] });
  });

  it('is safe when it is started several times at once: one run does the work, the others find it done', async () => {
    const outcomes = await Promise.all([1, 2, 3].map(() => operator.run(['migrate', '--json'])));

    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    const ran = outcomes.flatMap((outcome) => recordOf(outcome.json())['executed']);
    expect(ran).toEqual(names);
    expect(await operator.query('SELECT name FROM migrations ORDER BY timestamp')).toEqual(
      names.map((name) => ({ name })),
    );
  });

  it('keeps its books in the table of a host that has named another', async () => {
    await operator.json(['migrate', '--migrations-table', 'host_migrations']);

    expect(await operator.query('SELECT count(*)::int AS n FROM host_migrations')).toEqual([
      { n: names.length },
    ]);
    expect(await operator.json(['migrate', '--dry-run', '--migrations-table', 'host_migrations'])).toEqual({
      pending: [],
    });
    expect((await operator.run(['migrate', '--migrations-table', 'a"; DROP'])).exitCode).toBe(2);
  });

  it('keeps its books inside the schema iam for the option `database`, and finds them there by itself', async () => {
    expect(await operator.json(['migrate', '--migrations-table', 'iam.migrations'])).toEqual({
      executed: names,
    });

    expect(await operator.query(`SELECT to_regclass('public.migrations')::text AS other`)).toEqual([
      { other: null },
    ]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect(await operator.json(['migrate'])).toEqual({ executed: [] });
  });

  it('moves its books into the schema iam without running anything twice', async () => {
    await operator.json(['migrate', '--migrations-table', 'host_migrations']);
    const move = ['migrate', '--migrations-table', 'iam.migrations'];

    expect((await operator.run(move)).exitCode).toBe(1);
    expect(await operator.json([...move, '--moved-from', 'host_migrations'])).toEqual({ executed: [] });

    expect(await operator.query('SELECT name FROM iam.migrations ORDER BY "timestamp"')).toEqual(
      names.map((name) => ({ name })),
    );
  });

  it('says what is missing though no migration is pending, since no run brings it back', async () => {
    await operator.json(['migrate']);
    await operator.query('DROP TRIGGER users_bar_or_lift ON iam.users');
    await operator.query('DROP FUNCTION iam.subject_hash');

    for (const args of [['migrate'], ['migrate', '--dry-run']]) {
      const outcome = await operator.run([...args, '--json']);
      expect(outcome.exitCode).toBe(1);
      expect(outcome.json()).toEqual({
        error: {
          code: 'schema_incomplete',
          message: expect.stringMatching(
            /function iam\.subject_hash\(text,text,text\)\n {2}trigger users\.users_bar_or_lift\n/,
          ) as string,
        },
      });
    }
  });

  it.each(earlySchemas)('brings a database of early migrations up to date: %s', async (_name, versions) => {
    const early = migrationsOf(versions);
    const options = { type: 'postgres', url: operator.database.url, migrations: early } as const;
    const source = await new DataSource(options).initialize();
    await source.runMigrations();
    await source.destroy();
    const ran = early.map((Migration) => new Migration().name);
    const pending = names.filter((name) => !ran.includes(name));

    const refused = await operator.run(['provider', 'list', '--json']);
    const listed = await operator.json(['migrate', '--dry-run']);
    const executed = await operator.json(['migrate']);

    expect([refused.exitCode, refused.json()]).toEqual([
      1,
      { error: { code: 'migrations_pending', message: expect.stringContaining('migrate') as string } },
    ]);
    expect([listed, executed]).toEqual([{ pending }, { executed: pending }]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: [] });
    expect((await operator.run(['provider', 'list'])).exitCode).toBe(0);
  });

  it('leaves nothing behind when a migration fails', async () => {
    await operator.query('CREATE SCHEMA iam CREATE TABLE users (id int)');

    const outcome = await commandProcess(['migrate', '--json'], { variables: operator.variables });

    expect(outcome).toMatchObject({ exitCode: 1, stderr: '' });
    expect(outcome.json()).toMatchObject({ error: { code: 'internal_error' } });
    expect(await operator.query(`SELECT 1 FROM pg_class WHERE relname = 'identities'`)).toEqual([]);
    expect(await operator.json(['migrate', '--dry-run'])).toEqual({ pending: names });
  });
});
