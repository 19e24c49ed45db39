import { IamUsers } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { type ApprovedOnPc, approveOnPc, redeem, toTokens } from '../support/sign-in.js';
import { approveInWechat, onPc, refresh, revoke } from '../support/signed-in.js';

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

  it('of API keys stay for a month, so that their owner sees why they work no longer', async () => {
    const insert = (name: string, columns: string, values: string) =>
      world.dataSource.query(
        `INSERT INTO iam.api_keys (id, user_id, name, prefix, hash, ${columns})
         SELECT gen_random_uuid(), id, $1, 'x', $1, ${values} FROM iam.users LIMIT 1`,
        [name],
      );
    for (const [name, days] of [
      ['long', 31],
      ['short', 29],
    ] as const) {
      await insert(`ended ${name} ago`, 'ended_at, end_reason', `now() - interval '${days} days', 'x'`);
      await insert(`expired ${name} ago`, 'expires_at', `now() - interval '${days} days'`);
    }
    await insert('works', 'expires_at', 'NULL');

    await world.app.get(Cleanup).removeExpired();

    const left = await rowsOf(world.dataSource, 'SELECT name FROM iam.api_keys ORDER BY name');
    expect(left.map(({ name }) => name)).toEqual(['ended short ago', 'expired short ago', 'works']);
  });

  it('of logout tokens go after a month, also where nobody sends them', async () => {
    await world.dataSource.query(`
      INSERT INTO iam.backchannel_logouts (id, client_id, session_id, user_id, status, created_at)
      SELECT gen_random_uuid(), 'shop', gen_random_uuid(), gen_random_uuid(), status, now() - days * interval '1 day'
      FROM unnest('{pending,dead}'::text[]) status, unnest('{29,31}'::int[]) days`);

    await world.app.get(Cleanup).removeExpired();

    const left =
      "SELECT bool_and(created_at > now() - interval '30 days') AND count(*) = 2 FROM iam.backchannel_logouts";
    expect(await valueOf(world.dataSource, left)).toBe(true);
  });

  it('are removed once when replicas clean together', async () => {
    await addRows(2000, '-1 second');

    await Promise.all([world, replica].map(({ app }) => app.get(Cleanup).removeExpired()));

    expect([await count('logins'), await count('sessions')]).toEqual([4, 4]);
  });

  it('forget before that whom WeChat proved, once the time to connect them is over', async () => {
    const proven = (redeemBefore: string) =>
      world.dataSource.query(
        `INSERT INTO iam.logins (id, status, provider, method, appid, client_id, openid, subject, redeem_before, expires_at)
         VALUES (gen_random_uuid(), 'binding', 'wechat', 'mini', 'wx', 'web', $1::text, '{"phoneNumber": "+8613800138000"}', now() + $1::interval, now() + interval '1 day')`,
        [redeemBefore],
      );
    await proven('-1 second');
    await proven('1 hour');

    await world.app.get(Cleanup).removeExpired();

    const kept = `SELECT openid, subject->>'phoneNumber' AS number FROM iam.logins WHERE status = 'binding' ORDER BY redeem_before`;
    expect(await rowsOf(world.dataSource, kept)).toEqual([
      { openid: '-1 second', number: null },
      { openid: '1 hour', number: '+8613800138000' },
    ]);
    await world.dataSource.query(`DELETE FROM iam.logins WHERE status = 'binding'`);
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

/** The part of a token without which the rest is worth nothing: a MAC or a signature. */
const proofOf = (token: string) => token.split('.').at(-1) ?? token;

describe('what somebody who steals the database or the log can use', () => {
  let world: World;
  const logger = new LogCapture();
  /** By name, whatever would open something. */
  const issued: [name: string, value: string][] = [];
  let dump: string;

  const note = (name: string, value: string | null | undefined) => {
    if (value === null || value === undefined || value === '') throw new Error(`no ${name} was issued`);
    issued.push([name, value], [`proof of ${name}`, proofOf(value)]);
    return value;
  };

  async function finish(approved: ApprovedOnPc) {
    const { searchParams } = approved.callback;
    note('code of WeChat', searchParams.get('code'));
    note('state', searchParams.get('state'));
    note('code verifier', approved.verifier);
    for (const { value } of await approved.browser.jar.getCookies(world.url)) note('cookie', value);
    const returned = await approved.browser.visit(approved.callback);
    note('code', returned.location?.searchParams.get('code'));
    return { ...approved, returned };
  }
  const noteTokens = ({ accessToken, refreshToken }: ReturnType<typeof toTokens>) => {
    note('access token', accessToken);
    return note('refresh token', refreshToken);
  };

  /** Every table of the schema, every row as text. */
  async function dumpSchema(): Promise<string> {
    const tables = await rowsOf(
      world.dataSource,
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('iam', 'public')`,
    );
    const texts = await Promise.all(
      tables.map(({ name }) => rowsOf(world.dataSource, `SELECT t::text AS row FROM ${String(name)} t`)),
    );
    return texts.flatMap((rows) => rows.map(({ row }) => String(row))).join('\n');
  }

  beforeAll(async () => {
    world = await startWorld({ logger });
    const person = world.wechat.person({ nickname: '忙' });
    for (const approve of [approveOnPc, approveInWechat, approveOnPc]) {
      const token = noteTokens(toTokens(await redeem(world.url, await finish(await approve(world, person)))));
      const next = noteTokens(toTokens(await refresh(world.url, token)));
      noteTokens(toTokens(await refresh(world.url, next)));
    }
    await finish(await approveOnPc(world, person));
    await revoke(
      world.url,
      noteTokens(toTokens(await redeem(world.url, await finish(await approveOnPc(world, person))))),
    );
    await world.saveProvider({ sign_up: 'bind' });
    for (const bind of [true, false]) {
      const stranger = world.wechat.person({ nickname: '客' });
      const reply = await redeem(world.url, await finish(await approveOnPc(world, stranger)));
      const token = note('binding token', String(reply.json()['binding_token']));
      if (bind) await world.app.get(IamUsers).bind(token, { externalId: 'bound' });
    }
    note('secret of the website app', world.site.secret);
    note('secret of the Official Account', world.oa.secret);
    note('key of the host', world.key);
    for (const { query } of world.wechat.calls('/sns/userinfo'))
      note('token of WeChat', query['access_token']);
    dump = await dumpSchema();
  }, 60_000);
  afterAll(() => world.close());

  it('was all there to be found', () => {
    expect(new Set(issued.map(([name]) => name)).size).toBe(24);
    expect(dump).toContain(world.site.appid);
    expect(dump.split('\n').length).toBeGreaterThan(30);
  });

  it.each([
    ['the database', () => dump],
    ['the log', () => logger.text],
  ])('is not in %s', (_where, textOf) => {
    const text = textOf();
    const disguises = (value: string) => [
      value,
      encodeURIComponent(value),
      Buffer.from(value).toString('base64'),
      Buffer.from(value).toString('hex'),
    ];

    const found = issued.filter(([, value]) => disguises(value).some((each) => text.includes(each)));

    expect(found).toEqual([]);
  });
});
