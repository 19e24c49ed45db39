import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { decodeJwt } from 'jose';
import {
  AccessTokens,
  type AuthenticatedUser,
  CurrentUser,
  IamGuard,
  RequirePermissions,
} from '../../src/index.js';
import { SessionCheck } from '../../src/sessions/session-check.service.js';
import { FakeClock } from '../support/fake-clock.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { countWaiting } from '../support/rows.js';
import { getWith, signInOnPc, type Tokens } from '../support/sign-in.js';
import { refresh, revoke } from '../support/signed-in.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

@Controller('orders')
@UseGuards(IamGuard)
class OrdersController {
  @Get()
  list(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Get('refund')
  @RequirePermissions('orders:refund')
  refund() {
    return {};
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

/** The bound, and the cache's size, as the README states them. */
const SECONDS = 5;
const SESSIONS = 10_000;

describe("the guard with sessionCheck: 'always'", () => {
  const clock = new FakeClock();
  const settings = { clock, options: { sessionCheck: 'always' } } as const;
  let world: World;
  let proxy: TcpProxy;
  /** Reaches the database by way of the proxy. */
  let replica: IamApp;
  let queries: QueryCounter;

  beforeAll(async () => {
    world = await startWorld({ ...settings, imports: [OrdersModule] });
    proxy = await TcpProxy.start(world.database.url);
    replica = await startReplica(world, { ...settings, imports: [OrdersModule], databaseUrl: proxy.url });
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions) VALUES ('clerk', '{orders:refund}')`,
    );
    queries = countQueries(world.database.url);
  });
  afterAll(async () => {
    queries.stop();
    await replica.close();
    await proxy.cut();
    await world.close();
  });
  afterEach(() => proxy.restore());

  const signIn = () => signInOnPc(world, world.wechat.person({ nickname: '查' }));
  const orders = ({ accessToken }: Tokens, at: IamApp = world) => getWith(`${at.url}/orders`, accessToken);
  const codeOf = async (tokens: Tokens, at?: IamApp) =>
    (await orders(tokens, at)).json()['code'] ?? 'admitted';
  const readsSince = (mark: number) =>
    queries.since(mark).filter((text) => text.includes('FROM iam.sessions s JOIN')).length;
  /** Makes statements about the table wait. */
  const lock = async (table: string, mode: 'ACCESS EXCLUSIVE' | 'SHARE') => {
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`LOCK TABLE ${table} IN ${mode} MODE`);
    const release = async () => {
      await runner.commitTransaction();
      await runner.release();
    };
    return { release };
  };
  const idsOf = ({ accessToken }: Tokens) => decodeJwt(accessToken);

  it('asks PostgreSQL once for a hundred requests at the same time, and not again for five seconds', async () => {
    const tokens = await signIn();
    const sessions = await lock('iam.sessions', 'ACCESS EXCLUSIVE');
    const start = queries.mark();

    const waiting = Array.from({ length: 100 }, () => orders(tokens));
    await delay(300);
    await sessions.release();
    const replies = await Promise.all(waiting);
    clock.advance(SECONDS - 0.001);
    await orders(tokens);
    const within = readsSince(start);
    clock.advance(0.001);
    await orders(tokens);
    await orders(tokens);

    expect(replies.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect(within).toBe(1);
    expect(readsSince(start)).toBe(2);
  });

  it('asks for each session by itself', async () => {
    const sessions = [await signIn(), await signIn(), await signIn()];
    const start = queries.mark();

    for (const tokens of [...sessions, ...sessions]) await orders(tokens);

    expect(queries.since(start)).toHaveLength(3);
  });

  it('refuses who has signed out: at once there, within five seconds on another replica', async () => {
    const tokens = await signIn();
    await Promise.all([orders(tokens), orders(tokens, replica)]);

    await revoke(world.url, tokens.refreshToken);
    const atOnce = await orders(tokens);
    clock.advance(SECONDS);
    const elsewhere = await orders(tokens, replica);

    expect([atOnce.status, atOnce.json()['code']]).toEqual([401, 'invalid_token']);
    expect(atOnce.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect([elsewhere.status, elsewhere.json()['code']]).toEqual([401, 'invalid_token']);
  });

  it('refuses whom a change has signed out as soon as it is done, also who asked while it was not', async () => {
    const person = world.wechat.person({ nickname: '查' });
    const [acting, other] = [await signInOnPc(world, person), await signInOnPc(world, person)];
    const keys = await lock('iam.api_keys', 'SHARE');

    const change = new PcBrowser().visit(`${world.url}/iam/me/deletion`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acting.accessToken}` },
    });
    await until(
      'the session has ended in the transaction',
      async () => (await countWaiting(world.dataSource)) === 1,
    );
    const meanwhile = await codeOf(other);
    await keys.release();
    const { status } = await change;

    expect([meanwhile, status, await codeOf(other)]).toEqual(['admitted', 200, 'invalid_token']);
  });

  it('asks no more often for a session that is over', async () => {
    const tokens = await signIn();
    await revoke(world.url, tokens.refreshToken);
    const start = queries.mark();

    for (let times = 0; times < 5; times += 1) expect(await codeOf(tokens)).toBe('invalid_token');

    expect(queries.since(start)).toHaveLength(1);
  });

  it('refuses the session of a refresh token that was used again', async () => {
    const tokens = await signIn();
    await orders(tokens);
    const { refresh_token: second } = (await refresh(world.url, tokens.refreshToken)).json();
    await refresh(world.url, String(second));

    await refresh(world.url, tokens.refreshToken);

    expect(await codeOf(tokens)).toBe('invalid_token');
  });

  it.each([
    ['is disabled', `UPDATE iam.users SET status = 'disabled' WHERE id = $1`],
    [
      'has a session that was idle for too long',
      'UPDATE iam.sessions SET idle_expires_at = now() WHERE user_id = $1',
    ],
    ['has a session that is too old', 'UPDATE iam.sessions SET expires_at = now() WHERE user_id = $1'],
    [
      'has a session that an administrator ended',
      'UPDATE iam.sessions SET ended_at = now() WHERE user_id = $1',
    ],
  ])('refuses a user who %s', async (_case, sql) => {
    const tokens = await signIn();
    expect(await codeOf(tokens)).toBe('admitted');

    await world.dataSource.query(sql, [idsOf(tokens).sub]);
    clock.advance(SECONDS);

    expect(await codeOf(tokens)).toBe('invalid_token');
  });

  it('takes roles from the database and not from the token', async () => {
    const tokens = await signIn();
    const { sub } = idsOf(tokens);
    const refund = () => getWith(`${world.url}/orders/refund`, tokens.accessToken);

    const before = await refund();
    await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [sub]);
    clock.advance(SECONDS);
    const given = await refund();
    const rolesGiven = (await orders(tokens)).json()['roles'];
    await world.dataSource.query(`DELETE FROM iam.user_roles WHERE user_id = $1`, [sub]);
    clock.advance(SECONDS);
    const taken = await refund();

    expect([before.status, given.status, taken.status]).toEqual([403, 200, 403]);
    expect(rolesGiven).toEqual(['clerk']);
    expect((await orders(tokens)).json()['roles']).toEqual([]);
  });

  it('refuses a token of ours for a session that is nobody’s, or another user’s', async () => {
    const tokens = await signIn();
    const { sid } = idsOf(tokens);
    const issue = (claims: { userId: string; sessionId: string }) =>
      world.app
        .get(AccessTokens)
        .issue({ ...claims, clientId: 'web', roles: [], method: 'open', signedInAt: new Date() });
    const nobodys = await issue({ userId: String(idsOf(tokens).sub), sessionId: randomUUID() });
    const anothers = await issue({ userId: randomUUID(), sessionId: String(sid) });

    const replies = [nobodys, anothers].map((accessToken) => codeOf({ ...tokens, accessToken }));

    expect(await Promise.all(replies)).toEqual(['invalid_token', 'invalid_token']);
    expect(await codeOf(tokens)).toBe('admitted');
  });

  it('admits nobody whom it cannot ask about, and everybody again when PostgreSQL is back', async () => {
    const tokens = await signIn();
    expect(await codeOf(tokens, replica)).toBe('admitted');
    await proxy.cut();

    const known = await codeOf(tokens, replica);
    clock.advance(SECONDS);
    const unknown = await orders(tokens, replica);
    await proxy.restore();

    expect(known).toBe('admitted');
    expect([unknown.status, unknown.json()['code']]).toEqual([503, 'database_unavailable']);
    expect(unknown.headers.get('retry-after')).toBe('1');
    expect(await codeOf(tokens, replica)).toBe('admitted');
  });

  it('keeps no more than ten thousand sessions in memory, and none for longer than it believes them', async () => {
    const check = world.app.get(SessionCheck);
    const ask = (sessionId: string) =>
      check
        .confirm({
          userId: '',
          sessionId,
          clientId: 'web',
          roles: [],
          method: 'open',
          signedInAt: new Date(),
        })
        .catch(() => undefined);
    const ids = Array.from({ length: SESSIONS + 1 }, () => randomUUID());
    // Alone, so that it is surely the one read longest ago: of reads at once any may end first.
    await ask(ids.at(0) ?? '');
    for (let first = 1; first < ids.length; first += 500)
      await Promise.all(ids.slice(first, first + 500).map(ask));
    const start = queries.mark();

    await ask(ids.at(-1) ?? '');
    await ask(ids.at(1) ?? '');
    const ofKept = queries.since(start).length;
    await ask(ids.at(0) ?? '');
    const ofDropped = queries.since(start).length;
    clock.advance(SECONDS);
    await ask(randomUUID());

    expect([ofKept, ofDropped]).toEqual([0, 1]);
    expect(check.size).toBe(1);
  });
});
