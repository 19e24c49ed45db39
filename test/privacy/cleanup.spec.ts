import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { countQueries } from '../support/query-counter.js';
import { valueOf } from '../support/rows.js';
import { onPc, refresh } from '../support/signed-in.js';

describe('rows that have expired', () => {
  let world: World;
  let replica: IamApp;
  let userId: string;
  let refreshToken: string;

  beforeAll(async () => {
    world = await startWorld();
    replica = await startReplica(world);
    ({ id: userId, refreshToken } = await onPc(world, world.wechat.person({ nickname: '净' })));
  });
  afterAll(async () => {
    await replica.close();
    await world.close();
  });

  const count = (table: string) => valueOf(world.dataSource, `SELECT count(*)::int FROM iam.${table}`);

  /** Copies of the one login and the one session there are, expired or not. */
  async function addRows(rows: number, expiry: string): Promise<void> {
    await world.dataSource.query(
      `INSERT INTO iam.logins (id, status, provider, method, appid, client_id, expires_at)
       SELECT gen_random_uuid(), 'failed', 'wechat', 'open', 'wx', 'web', now() + $2::interval FROM generate_series(1, $1)`,
      [rows, expiry],
    );
    await world.dataSource.query(
      `INSERT INTO iam.sessions (id, user_id, client_id, login_id, provider, method, appid, openid, idle_expires_at, expires_at)
       SELECT gen_random_uuid(), $3, 'web', gen_random_uuid(), 'wechat', 'open', 'wx', 'o', now(), now() + $2::interval
       FROM generate_series(1, $1)`,
      [rows, expiry, userId],
    );
  }

  it('are removed in batches, and no others', async () => {
    await addRows(1201, '-1 second');
    await addRows(3, '1 hour');
    const queries = countQueries(world.database.url);

    await world.app.get(Cleanup).removeExpired();
    queries.stop();

    const ofLogins = queries.since(0).filter((sql) => sql.includes('DELETE FROM iam.logins'));
    expect(ofLogins).toHaveLength(3);
    expect(ofLogins.every((sql) => sql.includes('LIMIT 500'))).toBe(true);
    expect([await count('logins'), await count('sessions')]).toEqual([4, 4]);
    expect((await refresh(world.url, refreshToken)).status).toBe(200);
  });

  it('are removed once when replicas clean together', async () => {
    await addRows(2000, '-1 second');

    await Promise.all([world, replica].map(({ app }) => app.get(Cleanup).removeExpired()));

    expect([await count('logins'), await count('sessions')]).toEqual([4, 4]);
  });

  it('are left alone while somebody else works on them', async () => {
    await addRows(2, '-1 second');
    const other = world.dataSource.createQueryRunner();
    await other.startTransaction();
    await other.query(`SELECT 1 FROM iam.logins WHERE expires_at < now() LIMIT 1 FOR UPDATE`);

    await world.app.get(Cleanup).removeExpired();
    const left = await count('logins');
    await other.rollbackTransaction();
    await other.release();
    await world.app.get(Cleanup).removeExpired();

    expect([left, await count('logins')]).toEqual([5, 4]);
  });

  it('are left to others by a replica that goes down', async () => {
    const leaving = await startReplica(world);
    await addRows(2000, '-1 second');
    const counter = countQueries(world.database.url);

    const cleaning = leaving.app.get(Cleanup).removeExpired();
    await leaving.app.get(Cleanup).onModuleDestroy();
    await cleaning;
    const batches = counter.since(0).filter((sql) => sql.includes('DELETE FROM iam.'));
    counter.stop();
    await leaving.close();
    const left = await count('logins');
    await world.app.get(Cleanup).removeExpired();

    expect(batches).toHaveLength(1);
    expect([left, await count('logins')]).toEqual([1504, 4]);
  });

  it('are no reason to remove what the audit log says of them', async () => {
    const before = await count('audit_log');
    await world.dataSource.query(`UPDATE iam.sessions SET expires_at = now() - interval '1 second'`);
    await world.dataSource.query(`UPDATE iam.logins SET expires_at = now() - interval '1 second'`);

    await world.app.get(Cleanup).removeExpired();

    expect([await count('logins'), await count('sessions'), await count('audit_log')]).toEqual([
      0,
      0,
      before,
    ]);
    expect((await refresh(world.url, refreshToken)).json()['error']).toBe('invalid_grant');
  });
});
