import { DataSource } from 'typeorm';
import { z } from 'zod';
import { boundDataSource } from '../../src/database/bounded-data-source.js';
import { PreparedStatements } from '../../src/database/prepared-statements.js';
import {
  execute,
  inTransaction,
  queryRow,
  raw,
  sql,
  StatementNames,
  varied,
  type SqlExecutor,
} from '../../src/database/sql.js';
import { IamHealth } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { FakeClock } from '../support/fake-clock.js';
import { startIamApp, startWorld, type World } from '../support/iam-app.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { rowsOf } from '../support/rows.js';
import { onPc } from '../support/signed-in.js';
import { StatementLog } from '../support/statement-log.js';

const CONNECTIONS = 3;

async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let time = 0; time < times; time += 1) await work();
}

/** Takes every connection of the pool at once. */
async function onEveryConnection(dataSource: DataSource, count: number, text: string): Promise<void> {
  const runners = Array.from({ length: count }, () => dataSource.createQueryRunner());
  await Promise.all(runners.map((runner) => runner.connect()));
  await Promise.all(runners.map((runner) => runner.query(text)));
  await Promise.all(runners.map((runner) => runner.release()));
}

describe('prepared statements', () => {
  let database: TestDatabase;
  let queries: QueryCounter;
  let host: DataSource;
  let bounded: DataSource;
  let prepared: PreparedStatements;
  let clock: FakeClock;
  let log: StatementLog;

  beforeAll(async () => {
    database = await createDatabase();
    queries = countQueries(database.url);
  });
  beforeEach(async () => {
    [clock, log] = [new FakeClock(), new StatementLog()];
    const { url } = database;
    host = new DataSource({ type: 'postgres', url, poolSize: CONNECTIONS, logger: log, logging: true });
    await host.initialize();
    await host.query('DROP TABLE IF EXISTS notes');
    await host.query("CREATE TABLE notes AS SELECT 1 AS id, 'first'::text AS title");
    prepared = new PreparedStatements({ preparedStatements: true }, clock);
    bounded = boundDataSource(host, 5_000, prepared);
    await prepareEverywhere();
    log.lines.splice(0);
  });
  afterEach(() => host.destroy());
  afterAll(async () => {
    queries.stop();
    await database.drop();
  });

  const note = z.object({ title: z.string() });
  const title = async (executor: SqlExecutor) =>
    (await queryRow(executor, note, sql`SELECT title FROM notes WHERE id = ${1}`))?.title;
  /** Has every connection prepare the statement of `title`. */
  const prepareEverywhere = () => Promise.all(Array.from({ length: 5 * CONNECTIONS }, () => title(bounded)));
  const namesOf = (mark: number) => queries.statementsSince(mark).map(({ name }) => name);
  const failures = () => log.lines.filter((line) => line.includes('rror: '));

  it('have a name from the fifth use on, and PostgreSQL plans them once', async () => {
    const runner = bounded.createQueryRunner();
    const sum = (value: number) => sql`SELECT ${value}::int + count(*) FROM notes WHERE id > ${value}`;
    const mark = queries.mark();

    for (let value = 0; value < 20; value += 1) await execute(runner.manager, sum(value));
    const names = namesOf(mark);
    const kept: unknown = await runner.query(
      'SELECT custom_plans::int, generic_plans::int FROM pg_prepared_statements WHERE name = $1',
      [names[4]],
    );
    await runner.release();

    expect(names.slice(0, 4)).toEqual(Array(4).fill(undefined));
    expect(new Set(names.slice(4))).toEqual(new Set([expect.stringMatching(/^iam_[\w-]{43}$/)]));
    expect(kept).toEqual([{ custom_plans: 5, generic_plans: 11 }]);
  });

  it('reach logs and instrumentation with their text and values', async () => {
    const mark = queries.mark();

    await title(bounded);

    expect(queries.statementsSince(mark)).toEqual([
      {
        name: expect.stringMatching(/^iam_/) as string,
        text: 'SELECT title FROM notes WHERE id = $1',
        parameters: [1],
      },
    ]);
    expect(log.lines).toEqual(["'SELECT title FROM notes WHERE id = $1' [ 1 ]"]);
  });

  it('have the same name for the same text, whatever it was composed of', async () => {
    const condition = sql`id = ${1}`;
    const composed = () => execute(bounded, sql`SELECT ${raw('title')} FROM notes WHERE ${condition}`);
    await repeat(5, composed);
    const mark = queries.mark();

    await composed();
    await title(bounded);

    const [one, other] = namesOf(mark);
    expect(one).toBe(other);
    expect(one).toBeDefined();
  });

  it('are neither rare ones, nor varied ones and what has those within', async () => {
    const list = () => varied(sql`SELECT title FROM notes WHERE title LIKE ${'f%'}`);
    const mark = queries.mark();

    await repeat(4, () => execute(bounded, sql`SELECT 'rare' FROM notes`));
    await repeat(8, () => execute(bounded, list()));
    await repeat(8, () => execute(bounded, sql`SELECT count(*) FROM (${list()}) AS listed`));

    expect(namesOf(mark)).toEqual(Array(20).fill(undefined));
  });

  it('are never more than the limit', () => {
    const names = new StatementNames(2);
    const texts = ['SELECT 1', 'SELECT 2', 'SELECT 3'];

    for (const text of texts) names.add(text);

    expect(texts.map((text) => names.of(text) !== undefined)).toEqual([true, true, false]);
  });

  it('are run again, outside and inside a transaction, when a migration has changed their columns', async () => {
    const insert = sql`INSERT INTO notes SELECT max(id) + 1, 'more' FROM notes`;
    await host.query('ALTER TABLE notes ALTER title TYPE varchar(20)');
    const outside = await title(bounded);
    const afterOne = failures();
    await repeat(3, prepareEverywhere);
    await host.query('ALTER TABLE notes ALTER title TYPE varchar(30)');
    const inside = await inTransaction(bounded, async (manager) => {
      await execute(manager, insert);
      return title(manager);
    });
    const mark = queries.mark();
    await repeat(3, prepareEverywhere);
    const names = namesOf(mark);

    expect([outside, inside]).toEqual(['first', 'first']);
    expect(afterOne).toEqual([expect.stringContaining('cached plan must not change result type')]);
    expect(failures()).toEqual([...afterOne, ...afterOne]);
    expect(await rowsOf(host, 'SELECT count(*)::int FROM notes')).toEqual([{ count: 2 }]);
    expect(prepared.areLost).toBe(false);
    // Outdated connections have been replaced.
    expect(names.slice(-CONNECTIONS)).toEqual(Array(CONNECTIONS).fill(expect.stringMatching(/^iam_/)));
  });

  it('are run without a name for ten minutes when PostgreSQL has lost them', async () => {
    await onEveryConnection(bounded, CONNECTIONS, 'DISCARD ALL');
    const titles = await Promise.all(Array.from({ length: 10 }, () => title(bounded)));
    const mark = queries.mark();
    await repeat(3, prepareEverywhere);
    const meanwhile = new Set(namesOf(mark));
    const wereLost = prepared.areLost;
    clock.advance(600);
    const later = queries.mark();
    await title(bounded);

    expect(titles).toEqual(Array(10).fill('first'));
    expect(failures()[0]).toMatch(/prepared statement "iam_[\w-]+" does not exist/);
    expect([wereLost, prepared.areLost]).toEqual([true, false]);
    expect(meanwhile).toEqual(new Set([undefined]));
    expect(namesOf(later)).toEqual([expect.stringMatching(/^iam_/)]);
  });

  it('are run without a name where the name is taken', async () => {
    const mark = queries.mark();
    await title(bounded);
    const [name] = namesOf(mark);
    await bounded.destroy();
    await host.initialize();
    const taking = `PREPARE "${String(name)}" AS SELECT title FROM notes WHERE id = $1`;
    await onEveryConnection(host, CONNECTIONS, taking);

    const titles = await Promise.all([title(bounded), inTransaction(bounded, title)]);

    expect(titles).toEqual(['first', 'first']);
    expect(failures()[0]).toMatch(/prepared statement "iam_[\w-]+" already exists/);
    expect(prepared.areLost).toBe(true);
  });

  it('of the host keep their ways', async () => {
    const mark = queries.mark();

    await host.query('SELECT title FROM notes WHERE id = $1', [1]);

    expect(namesOf(mark)).toEqual([undefined]);
  });
});

describe('sign-ins by prepared statements', () => {
  let world: World;
  let queries: QueryCounter;
  const clock = new FakeClock();

  beforeAll(async () => {
    world = await startWorld({ clock, typeOrm: { poolSize: CONNECTIONS } });
    queries = countQueries(world.database.url);
    const person = world.wechat.person({ nickname: '常' });
    await repeat(6, () => onPc(world, person));
  });
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  const person = () => world.wechat.person({ nickname: '新' });
  const ours = (mark: number) => queries.statementsSince(mark).filter(({ text }) => text.includes('iam.'));

  it('have no other statements than those', async () => {
    await repeat(5, () => onPc(world, person()));
    const mark = queries.mark();

    await onPc(world, person());

    expect(ours(mark).length).toBeGreaterThan(0);
    expect(ours(mark).filter(({ name }) => name === undefined)).toEqual([]);
  });

  it('succeed when somebody has discarded the statements, which health reports for a while', async () => {
    const healthOf = async () => (await world.app.get(IamHealth).check())['iam'];
    await Promise.all(Array.from({ length: 3 * CONNECTIONS }, () => onPc(world, person())));
    await onEveryConnection(world.dataSource, CONNECTIONS, 'DISCARD ALL');

    const signedIn = await Promise.all(Array.from({ length: 5 }, () => onPc(world, person())));
    const health = await healthOf();
    clock.advance(600);
    const later = await healthOf();

    expect(new Set(signedIn.map(({ id }) => id)).size).toBe(5);
    expect(health).toMatchObject({ status: 'up', problems: ['prepared_statements_lost'] });
    expect(health?.remedy).toContain('`database.preparedStatements: false`');
    expect(later?.problems).toEqual([]);
  });

  it.each([
    ['the host’s connection', { options: { database: { preparedStatements: false } } }],
    ['its own', { ownDatabase: { preparedStatements: false } }],
  ])('are none where the option is off, on %s', async (_which, settings) => {
    const { wechat, key } = world;
    const databaseUrl = world.database.url;
    const iam = await startIamApp({ databaseUrl, endpoints: wechat.endpoints, key, ...settings });
    const mark = queries.mark();

    await onPc({ url: iam.url, wechat }, person());
    await iam.close();

    expect(ours(mark).length).toBeGreaterThan(0);
    expect(ours(mark).filter(({ name }) => name !== undefined)).toEqual([]);
  });
});
