import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource, QueryRunner } from 'typeorm';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { inLongJob } from '../../src/database/bounded-data-source.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { countWaiting, valueOf } from '../support/rows.js';
import { approveOnPc, getWith, signInOnPc } from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

describe('when PostgreSQL keeps statements waiting', () => {
  let world: World;
  let proxy: TcpProxy;
  /** Reaches the database by way of the proxy, with little patience. */
  let iam: IamApp;
  /** Connections of somebody else. */
  const held: QueryRunner[] = [];

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    proxy = await TcpProxy.start(world.database.url);
    iam = await startReplica(world, {
      databaseUrl: proxy.url,
      options: { databaseTimeout: 300, ...adminOptions },
    });
  });
  afterEach(async () => {
    await proxy.restore();
    for (const runner of held.splice(0)) {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      await runner.release();
    }
  });
  afterAll(async () => {
    await iam.close();
    await proxy.cut();
    await world.close();
  });

  const person = () => world.wechat.person({ nickname: '等' });

  async function lock(...tables: string[]): Promise<void> {
    const runner = world.dataSource.createQueryRunner();
    held.push(runner);
    await runner.startTransaction();
    const names = tables.map((table) => `iam.${table}`).join(', ');
    await runner.query(`LOCK TABLE ${names} IN ACCESS EXCLUSIVE MODE`);
  }
  const callBack = ({ browser, callback }: Awaited<ReturnType<typeof approveOnPc>>) =>
    browser.visit(`${iam.url}${callback.pathname}${callback.search}`);
  const isRefused = ({ status, headers }: Reply) => [status, headers.get('retry-after')];

  it('requests end as database_unavailable while tables are locked, and leave no statement behind', async () => {
    const { accessToken, refreshToken } = await onPc(world, person());
    await lock('users', 'sessions', 'identities', 'identity_providers', 'audit_log');

    const replies = await Promise.all([
      getWith(`${iam.url}/iam/me`, accessToken),
      refresh(iam.url, refreshToken),
      revoke(iam.url, refreshToken),
      new AdminClient(iam.url).get('users'),
      new AdminClient(iam.url).post('roles', { name: 'slow' }),
    ]);

    expect(replies.map(isRefused)).toEqual(Array(5).fill([503, '1']));
    // The lock is still held; what background work met it ends by the same time limit.
    await until('no statement that waits', async () => (await countWaiting(world.dataSource)) === 0);
  });

  it('a sign-in that met a lock goes back as temporarily_unavailable, and the next one succeeds', async () => {
    const approved = await approveOnPc(world, person());
    await lock('users', 'identities');

    const refused = await callBack(approved);
    const waiting = await countWaiting(world.dataSource);
    await held[0]?.rollbackTransaction();
    const tokens = await signInOnPc(world, person());

    expect(refused.location?.searchParams.get('error')).toBe('temporarily_unavailable');
    expect(waiting).toBe(0);
    expect((await getWith(`${iam.url}/iam/me`, tokens.accessToken)).status).toBe(200);
  });

  it('requests end when the host has all connections of the pool, which are as many afterwards', async () => {
    const { accessToken } = await onPc(world, person());
    for (let connections = 0; connections < 10; connections += 1) {
      const runner = iam.dataSource.createQueryRunner();
      held.push(runner);
      await runner.connect();
    }

    const [me, list] = await Promise.all([
      getWith(`${iam.url}/iam/me`, accessToken),
      new AdminClient(iam.url).post('roles', { name: 'crowded' }),
    ]);
    for (const runner of held.splice(0)) await runner.release();
    const round = () => getWith(`${iam.url}/iam/me`, accessToken);
    const later = await Promise.all(Array.from({ length: 30 }, round));

    expect([me, list].map(isRefused)).toEqual([
      [503, '1'],
      [503, '1'],
    ]);
    expect(later.map(({ status }) => status)).toEqual(Array(30).fill(200));
  });

  it('requests end when the network swallows everything, and connections are replaced afterwards', async () => {
    const { accessToken } = await onPc(world, person());
    const me = () => getWith(`${iam.url}/iam/me`, accessToken);
    await me();
    proxy.silence();

    const refused = await me();
    await proxy.restore();
    const answered = await me();

    expect(isRefused(refused)).toEqual([503, '1']);
    expect(answered.status).toBe(200);
  });

  it('a long job waits on, and so does a statement of the host', async () => {
    await lock('logins');

    const cleaning = inLongJob(() => iam.app.get(Cleanup).removeExpired());
    await until('a statement that waits', async () => (await countWaiting(world.dataSource)) === 1);
    const slept = await valueOf(iam.app.get<DataSource>(getDataSourceToken()), 'SELECT pg_sleep(1) IS NULL');
    const waiting = await countWaiting(world.dataSource);
    await held[0]?.rollbackTransaction();

    await expect(cleaning).resolves.toBeUndefined();
    expect([slept, waiting]).toEqual([false, 1]);
  });
});
