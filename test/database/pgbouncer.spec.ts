import { findPgBouncer, startPgBouncer } from '../../example/postgres/pg-bouncer.js';
import { IamHealth } from '../../src/index.js';
import { endWithTests } from '../support/end-with-tests.js';
import { startIamApp, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { onPc } from '../support/signed-in.js';

const AT_ONCE = 8;

const program = findPgBouncer();
const whereThereIsOne = program !== null ? describe : describe.skip;
const whereItPrepares = program?.isPreparing === true ? it : it.skip;

whereThereIsOne('sign-ins through PgBouncer in transaction mode (skipped without it on this machine)', () => {
  let world: World;
  let queries: QueryCounter;
  let iam: IamApp;

  beforeAll(async () => {
    world = await startWorld();
    queries = countQueries(world.database.url);
  });
  afterEach(() => iam.close());
  afterAll(async () => {
    queries.stop();
    await world.close();
  });

  const start = async (maxPreparedStatements: number, preparedStatements: boolean) => {
    const pgBouncer = await startPgBouncer(world.database.url, { poolSize: 3, maxPreparedStatements });
    endWithTests(() => pgBouncer.stop());
    iam = await startIamApp({
      databaseUrl: pgBouncer.url,
      endpoints: world.wechat.endpoints,
      key: world.key,
      options: { database: { preparedStatements } },
    });
  };
  /** New people share the server's connections; then all of them come back. */
  const signIn = async () => {
    const people = Array.from({ length: AT_ONCE }, () => world.wechat.person({ nickname: '池' }));
    const enter = () =>
      Promise.all(people.map((person) => onPc({ url: iam.url, wechat: world.wechat }, person)));
    const first = await enter();
    const again = await enter();
    return { first: first.map(({ id }) => id), again: again.map(({ id }) => id) };
  };
  const isPrepared = (mark: number) =>
    queries
      .statementsSince(mark)
      .filter(({ text }) => text.includes('iam.'))
      .map(({ name }) => name !== undefined);
  const health = async () => (await iam.app.get(IamHealth).check())['iam'];

  it('succeed without prepared statements where the option is off', async () => {
    await start(0, false);
    const mark = queries.mark();

    const { first, again } = await signIn();

    expect(new Set(first).size).toBe(AT_ONCE);
    expect(again).toEqual(first);
    expect(isPrepared(mark)).not.toContain(true);
    expect(await health()).toMatchObject({ status: 'up', problems: [] });
  });

  it('all succeed where it does not know prepared statements and the option was left on, which health says', async () => {
    await start(0, true);

    const early = await signIn();
    const mark = queries.mark();
    const late = await signIn();

    for (const { first, again } of [early, late]) {
      expect(new Set(first).size).toBe(AT_ONCE);
      expect(again).toEqual(first);
    }
    expect(isPrepared(mark)).not.toContain(true);
    expect(await health()).toMatchObject({ status: 'up', problems: ['prepared_statements_lost'] });
    expect((await health())?.remedy).toContain('`database.preparedStatements: false`');
  });

  whereItPrepares(
    'are prepared where it is 1.21 or later and keeps them (skipped with an older one)',
    async () => {
      await start(100, true);
      await signIn();
      const mark = queries.mark();

      const { first, again } = await signIn();

      expect(new Set(first).size).toBe(AT_ONCE);
      expect(again).toEqual(first);
      expect(new Set(isPrepared(mark))).toEqual(new Set([true]));
      expect(await health()).toMatchObject({ status: 'up', problems: [] });
    },
  );
});
