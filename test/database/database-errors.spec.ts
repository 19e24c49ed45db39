import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import pg from 'pg';
import type { DataSource, QueryRunner } from 'typeorm';
import { inLongJob } from '../../src/database/bounded-data-source.js';
import { isDatabaseUnavailable } from '../../src/database/database-errors.js';
import { empty, join, raw, sql } from '../../src/database/sql.js';
import { toIamError } from '../../src/http/to-iam-error.js';
import { type AuthenticatedUser, CurrentUser, IamGuard } from '../../src/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countWaiting, valueOf } from '../support/rows.js';
import {
  approveOnPc,
  authorizeUrl,
  getWith,
  pkce,
  redeem,
  signInOnPc,
  toTokens,
} from '../support/sign-in.js';
import { onPc, refresh, revoke } from '../support/signed-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

describe('an outage of PostgreSQL is recognised', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  const connected = async () => {
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(fail, (error: unknown) => error);
  const fail = () => {
    throw new Error('expected a failure');
  };

  it('while a statement runs', async () => {
    const [victim, killer] = [await connected(), await connected()];

    const failure = failureOf(victim.query('SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)'));

    expect(isDatabaseUnavailable(await failure)).toBe(true);
    await killer.end();
  });

  it('between two statements of a connection, as in a transaction', async () => {
    const [victim, killer] = [await connected(), await connected()];
    const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const ended = new Promise<void>((resolve) => victim.once('end', () => resolve()));
    await killer.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;

    expect(isDatabaseUnavailable(await failureOf(victim.query('SELECT 1')))).toBe(true);
    await killer.end();
  });

  it.each([
    ['statement_timeout', 'SELECT pg_sleep(0.5)', {}],
    ['lock_timeout', 'SELECT FROM public.held', {}],
    ['the host’s query_timeout', 'SELECT pg_sleep(0.5)', { query_timeout: 50 }],
  ])('when a statement takes longer than %s allows', async (which, sql, settings) => {
    const holder = await connected();
    await holder.query('CREATE TABLE IF NOT EXISTS public.held ()');
    await holder.query('BEGIN; LOCK TABLE public.held');
    const client = new pg.Client({ connectionString: database.url, ...settings });
    client.on('error', () => undefined);
    await client.connect();
    if (!('query_timeout' in settings)) await client.query(`SET ${which} = 50`);

    const failure = await failureOf(client.query(sql));
    await holder.end();
    await client.end();

    expect(isDatabaseUnavailable(failure)).toBe(true);
  });

  it.each(['EAI_AGAIN', 'ENETUNREACH', '57P05', '25P03'])('by the code %s', (code) => {
    expect(isDatabaseUnavailable(Object.assign(new Error('x'), { code }))).toBe(true);
  });

  it('and a wrong statement is not taken for one', async () => {
    const client = await connected();

    expect(isDatabaseUnavailable(await failureOf(client.query('SELECT nothing FROM nowhere')))).toBe(false);
    await client.end();
  });
});

describe('what PostgreSQL says of a statement', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const codeOf = async (sql: string, parameters: unknown[] = []) =>
    world.dataSource.query(sql, parameters).then(
      () => 'done',
      (error: unknown) => toIamError(error).code,
    );

  it.each<[string, string, unknown[]?]>([
    ['a text with NUL', 'SELECT $1::text', ['a\0b']],
    ['JSON with NUL', `SELECT '"\\u0000"'::jsonb`],
    ['bytes of another length', 'SELECT $1::uuid', [Buffer.alloc(17)]],
    ['half a character', `SELECT '"\\ud800"'::jsonb`],
    [
      'a text that is too long',
      `CREATE TEMP TABLE narrow AS SELECT 'x'::varchar(1) AS c; INSERT INTO narrow VALUES ('xx')`,
    ],
    ['a number out of range', 'SELECT 99999999999::int4'],
    ['no UUID', `SELECT 'nobody'::uuid`],
    ['no date', `SELECT 'yesterdays'::timestamptz`],
    ['a date out of range', `SELECT '2026-13-45'::timestamptz`],
    [
      'more than an index takes',
      `INSERT INTO iam.users (id, external_id)
       SELECT gen_random_uuid(), string_agg(gen_random_uuid()::text, '') FROM generate_series(1, 1000)`,
    ],
  ])('is the caller’s fault: %s', async (...[, sql, parameters]) => {
    expect(await codeOf(sql, parameters)).toBe('invalid_request');
  });

  it('is a conflict: a row that another one rules out, whoever forgot to name it', async () => {
    const insert = `INSERT INTO iam.users (id, external_id) VALUES (gen_random_uuid(), 'taken')`;

    expect([await codeOf(insert), await codeOf(insert)]).toEqual(['done', 'already_exists']);
  });

  it.each([
    ['a syntax error', 'SELECT FROM WHERE'],
    ['a row that lacks a value', `INSERT INTO iam.roles (name) VALUES (NULL)`],
    ['a change of the audit log, which its trigger refuses', `DELETE FROM iam.audit_log`],
  ])('is our fault: %s', async (_what, sql) => {
    expect(await codeOf(sql)).toBe('internal_error');
  });
});

describe('a composed statement', () => {
  it('numbers the parameters of nested parts where they stand', () => {
    const part = sql`b = ${2} AND ${raw('c')} = ${3}`;

    const statement = sql`a = ${1} AND (${part})${empty} OR d = ${4}`;

    expect(statement.text).toBe('a = $1 AND (b = $2 AND c = $3) OR d = $4');
    expect(statement.values).toEqual([1, 2, 3, 4]);
  });

  it('takes a string for a value, never for SQL', () => {
    const statement = sql`SELECT ${"'; DROP TABLE users"}`;

    expect([statement.text, statement.values]).toEqual(['SELECT $1', ["'; DROP TABLE users"]]);
  });

  it('joins parts and values', () => {
    const joined = join([sql`a = ${1}`, 2, raw('now()')], ' AND ');

    expect([joined.text, joined.values]).toEqual(['a = $1 AND $2 AND now()', [1, 2]]);
    expect(sql`${joined}`.text).toBe(joined.text);
  });
});

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

const scripted = { headers: { accept: 'application/json' } };

@Controller('own')
class OwnController {
  @Get()
  @UseGuards(IamGuard)
  show(@CurrentUser() user: AuthenticatedUser): AuthenticatedUser {
    return user;
  }
}

@Module({ controllers: [OwnController] })
class OwnModule {}

describe('while PostgreSQL is away', () => {
  let world: World;
  let proxy: TcpProxy;
  /** Reaches the database by way of the proxy. */
  let iam: IamApp;
  const clock = new FakeClock();
  const logger = new LogCapture();

  beforeAll(async () => {
    world = await startWorld({ clock, logger });
    proxy = await TcpProxy.start(world.database.url);
    iam = await startReplica(world, { databaseUrl: proxy.url, clock, logger, imports: [OwnModule] });
    await iam.dataSource.query('SELECT 1');
  });
  afterAll(async () => {
    await iam.close();
    await proxy.cut();
    await world.close();
  });
  beforeEach(async () => {
    logger.clear();
    world.wechat.clearCalls();
    await providersOf(iam);
  });
  afterEach(() => proxy.restore());

  const providersOf = ({ url }: IamApp) => new PcBrowser().visit(`${url}/iam/providers`, scripted);
  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '小兰' }));
  const start = () => {
    const url = authorizeUrl(world.url, pkce().challenge).replace(`${world.url}/iam`, `${iam.url}/iam`);
    return new PcBrowser().visit(url);
  };
  const callBack = ({ browser, callback }: Awaited<ReturnType<typeof approve>>) =>
    browser.visit(`${iam.url}${callback.pathname}${callback.search}`);
  const errorOf = ({ location }: Reply) => location?.searchParams.get('error');

  it('sign-ins still start for as long as the rows in memory are fresh', async () => {
    await proxy.cut();

    const reply = await start();

    expect(reply.status).toBe(302);
    expect(reply.location?.pathname).toBe('/connect/qrconnect');
  });

  it('a start that needs the rows goes back to the client as temporarily_unavailable', async () => {
    clock.advance(60);
    await proxy.cut();

    const reply = await start();

    expect(reply.status).toBe(303);
    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(logger.with('database_unavailable')).toHaveLength(1);
  });

  it('scripts get problem+json and people a page, both with 503 and when to try again', async () => {
    clock.advance(60);
    await proxy.cut();

    const script = await providersOf(iam);
    const page = await new PcBrowser().visit(`${iam.url}/iam/providers`);

    expect(script.status).toBe(503);
    expect(script.json()['code']).toBe('database_unavailable');
    expect(page.status).toBe(503);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const reply of [script, page]) expect(reply.headers.get('retry-after')).toBe('1');
  });

  it('a callback asks WeChat nothing, and the same callback succeeds afterwards', async () => {
    const approved = await approve();
    await proxy.cut();

    const reply = await callBack(approved);
    const asked = world.wechat.calls('/sns/oauth2/access_token').length;
    await proxy.restore();
    const again = await callBack(approved);

    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(asked).toBe(0);
    expect(logger.with('database_unavailable')).toHaveLength(1);
    expect(again.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('a code is not redeemed, and is redeemed afterwards', async () => {
    const approved = await approve();
    const returned = await callBack(approved);
    await proxy.cut();

    const refused = await redeem(
      iam.url,
      { ...approved, returned },
      { redirect_uri: `${world.url}/signed-in` },
    );
    await proxy.restore();
    const granted = await redeem(
      iam.url,
      { ...approved, returned },
      { redirect_uri: `${world.url}/signed-in` },
    );

    expect(refused.status).toBe(503);
    expect(refused.json()['error']).toBe('temporarily_unavailable');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(granted.status).toBe(200);
  });

  it('a sign-in cut off between the exchange and the database ends as temporarily_unavailable, and leaves no half user', async () => {
    const approved = await approve();
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users');
    world.wechat.once('/sns/userinfo', { delay: 300 });

    const answering = callBack(approved);
    while (world.wechat.calls('/sns/userinfo').length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await proxy.cut();
    const reply = await answering;
    await proxy.restore();

    expect(errorOf(reply)).toBe('temporarily_unavailable');
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users')).toBe(before);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(1);
  });

  it('signed-in people stay signed in: a guarded request needs no database', async () => {
    const approved = await approve();
    const tokens = toTokens(await redeem(world.url, { ...approved, returned: await callBack(approved) }));
    await getWith(`${iam.url}/own`, tokens.accessToken);
    await proxy.cut();

    const own = await getWith(`${iam.url}/own`, tokens.accessToken);
    const me = await getWith(`${iam.url}/iam/me`, tokens.accessToken);

    expect(own.status).toBe(200);
    expect(own.json()['id']).toEqual(expect.any(String));
    expect(me.status).toBe(503);
    expect(me.json()['code']).toBe('database_unavailable');
  });

  it('connections ended by an administrator are replaced without a restart', async () => {
    const approved = await Promise.all([approve(), approve(), approve(), approve()]);

    const replies = [];
    for (const each of approved) {
      await world.dataSource.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      let reply = await callBack(each);
      while (errorOf(reply) === 'temporarily_unavailable') reply = await callBack(each);
      replies.push(reply);
    }

    for (const reply of replies) expect(reply.location?.searchParams.get('code')).toEqual(expect.any(String));
  });

  it('nothing is said of hosts, ports or statements', async () => {
    clock.advance(60);
    const approved = await approve();
    await proxy.cut();

    const replies = [await providersOf(iam), await callBack(approved), await start()];

    for (const { text, location } of replies)
      expect(text + (location?.href ?? '')).not.toMatch(
        /ECONN|postgres|SELECT|iam\.|127\.0\.0\.1:\d+\/iam_/i,
      );
  });
});
