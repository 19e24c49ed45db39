import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { Test } from '@nestjs/testing';
import { IamGuard } from '../../src/index.js';
import { Clock } from '../../src/runtime/clock.js';
import { AdminClient, adminOptions, signedInWithRoles } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { MachineHost, OrdersController, OrdersModule, outcome } from '../support/machines.js';
import { PcBrowser } from '../support/pc-browser.js';
import { type Create, quietOptions } from '../support/platforms.js';
import { countQueries, type QueryCounter } from '../support/query-counter.js';
import { countWaiting, rowsOf, valueOf } from '../support/rows.js';
import { toTokens } from '../support/sign-in.js';
import { refresh, type SignedIn } from '../support/signed-in.js';
import { until } from '../support/until.js';

/** On Fastify, with the clock of the tests. */
const createReplica: Create = async (module) => {
  const testing = await Test.createTestingModule({ imports: [module] })
    .setLogger(new LogCapture())
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  return testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), quietOptions);
};

/** As the guide states them. */
const SECONDS = 5;
const GUESSES = 120;

const clock = new FakeClock();
let world: World;
/** Another process of the host, on Fastify. */
let replica: IamApp;
let host: MachineHost;
let elsewhere: MachineHost;
let queries: QueryCounter;

beforeAll(async () => {
  // The clock of the tests runs ahead of PostgreSQL's, by which people have signed in.
  const options = { ...adminOptions, recentSignIn: 7_200 };
  const settings = { options, imports: [OrdersModule] };
  world = await startWorld({ ...settings, clock });
  replica = await startReplica(world, { ...settings, create: createReplica });
  host = new MachineHost(world.url);
  elsewhere = new MachineHost(replica.url);
  await host.makeRoles();
  queries = countQueries(world.database.url);
});
afterAll(async () => {
  queries.stop();
  await replica.close();
  await world.close();
});
afterEach(() => clock.advance(60));

const auditOf = (action: string, key: string) =>
  rowsOf(
    world.dataSource,
    `SELECT actor, user_id, client_id, detail->>'reason' AS reason FROM iam.audit_log
     WHERE action = $1 AND detail->>'api_key' = $2 ORDER BY id`,
    [action, key],
  );

const clerk = () => signedInWithRoles(world, ['clerk']);
const createKey = ({ accessToken }: SignedIn, body: Readonly<Record<string, unknown>> = {}) =>
  new PcBrowser().visit(`${world.url}/iam/me/api_keys`, {
    method: 'POST',
    body: { name: 'daily report', permissions: ['orders:refund'], ...body },
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
  });
async function keyOf(owner: SignedIn, body?: Readonly<Record<string, unknown>>) {
  const reply = await createKey(owner, body);
  if (reply.status !== 201) throw new Error(reply.text);
  const { key, api_key } = reply.json();
  return { key: String(key), id: (api_key as { id: string }).id };
}
async function serviceKey(permissions: readonly string[] = ['orders:refund']) {
  const { id: client_id } = await host.service();
  const reply = await host.admin.post('api_keys', { client_id, name: 'cron', permissions });
  if (reply.status !== 201) throw new Error(reply.text);
  const { key, api_key } = reply.json();
  return { key: String(key), id: (api_key as { id: string }).id, client_id };
}

describe('an API key', () => {
  it('acts for its owner within its permissions, on every platform, and nothing shows it again', async () => {
    const owner = await clerk();
    const expires_at = new Date(Date.now() + 86_400_000).toISOString();

    const reply = await createKey(owner, { expires_at });
    const { key, api_key: row } = reply.json();
    const replies = await Promise.all(
      [host, elsewhere].map((each) => each.get('orders/refund', String(key))),
    );
    const list = await host.get('iam/me/api_keys', owner.accessToken);

    const shown = String(key).slice(0, 11);
    expect(key).toMatch(/^iamk_[A-Za-z0-9]{44}$/);
    expect(row).toMatchObject({
      name: 'daily report',
      prefix: shown,
      permissions: ['orders:refund'],
      expires_at,
    });
    const { id: keyId } = row as { id: string };
    const caller = { kind: 'api_key', id: owner.id, owner: 'person', keyId, roles: [] };
    for (const { status, json } of replies)
      expect([status, json()]).toEqual([200, { ...caller, permissions: ['orders:refund'] }]);
    expect(list.json()).toMatchObject({
      items: [{ id: keyId, prefix: shown, live: true }],
      permissions: ['orders:refund', 'orders:read'],
    });
    expect(list.text).not.toContain(String(key));
    expect(await auditOf('api_key.created', keyId)).toEqual([
      { actor: `user:${owner.id}`, user_id: owner.id, client_id: null, reason: null },
    ]);
  });

  it('never does what its owner may not: neither at first nor after they have lost it', async () => {
    const owner = await clerk();
    const beyond = await createKey(owner, { permissions: ['orders:*'] });
    const { key } = await keyOf(owner, { permissions: ['orders:refund', 'orders:read'] });
    const both = await host.outcome('orders/clerks', key);
    const bell = await keyOf(await signedInWithRoles(world, ['bell']), { permissions: [] });

    await host.admin.request('DELETE', `users/${owner.id}/roles/clerk`);
    clock.advance(SECONDS);
    const lost = await host.outcome('orders/refund', key);

    expect(outcome(beyond)).toEqual([403, 'insufficient_permissions']);
    expect(both).toEqual([200, null]);
    // A role that grants nothing means something to the host alone: no key has it by having nothing.
    expect(await host.outcome('orders/clerks', bell.key)).toEqual([403, 'insufficient_permissions']);
    expect(lost).toEqual([403, 'insufficient_permissions']);
    expect((await host.get('orders/any', key)).json()).toMatchObject({ roles: [], permissions: [] });
  });

  it('is admitted to a resolver of GraphQL as to a route', async () => {
    const { key } = await keyOf(await clerk());
    const request = { method: 'POST', url: '/graphql', headers: { authorization: `Bearer ${key}` } };
    const context = (handler: (...parameters: never[]) => unknown) => {
      const call = new ExecutionContextHost([null, {}, { req: request }, null], OrdersController, handler);
      call.setType('graphql');
      return call;
    };
    const { refund, mine } = OrdersController.prototype;

    expect(await world.app.get(IamGuard).canActivate(context(refund))).toBe(true);
    await expect(world.app.get(IamGuard).canActivate(context(mine))).rejects.toMatchObject({
      extensions: { code: 'person_required' },
    });
  });

  it('is made only after a recent sign-in, with an end to come, and a hundred times', async () => {
    const owner = await clerk();
    const past = await createKey(owner, { expires_at: '2020-01-01T00:00:00Z' });
    const nowhere = await createKey(owner, { expires_at: '2100-01-01T00:00:00-23:59' });
    await keyOf(owner);
    await world.dataSource.query(
      `INSERT INTO iam.api_keys (id, user_id, name, prefix, hash)
       SELECT gen_random_uuid(), $1, 'x', 'x', gen_random_uuid()::text FROM generate_series(1, 99)`,
      [owner.id],
    );
    const full = await createKey(owner);
    const age = `UPDATE iam.sessions SET created_at = created_at - interval '1 day' WHERE user_id = $1`;
    await world.dataSource.query(age, [owner.id]);
    const { accessToken } = toTokens(await refresh(world.url, owner.refreshToken));
    const old = await createKey({ ...owner, accessToken });

    expect([past, nowhere].map(outcome)).toEqual(Array(2).fill([400, 'invalid_request']));
    expect(outcome(full)).toEqual([409, 'api_key_limit_reached']);
    expect(outcome(old)).toEqual([401, 'recent_sign_in_required']);
  });

  it('costs one statement in five seconds, and its last use is written once a minute, without a request that waits', async () => {
    const { key, id } = await keyOf(await clerk());
    const lastUse = () =>
      valueOf(world.dataSource, 'SELECT last_used_at FROM iam.api_keys WHERE id = $1', [id]);
    const start = queries.mark();

    const replies = await Promise.all(Array.from({ length: 200 }, () => host.get('orders/refund', key)));
    clock.advance(SECONDS - 0.001);
    await host.get('orders/refund', key);
    const within = queries.since(start);
    clock.advance(0.001);
    await host.get('orders/refund', key);
    const later = queries.since(start);
    await until('its use is noted', async () => (await lastUse()) !== null);
    const first = await lastUse();
    clock.advance(SECONDS);
    await host.get('orders/refund', key);
    await world.dataSource.query('SELECT 1');

    expect(replies.map(({ status }) => status)).toEqual(Array(200).fill(200));
    expect([within.length, later.length]).toEqual([1, 2]);
    expect(within[0]).toContain('FROM iam.api_keys k');
    expect(await lastUse()).toEqual(first);
  });

  it.each<[string, (owner: SignedIn, id: string) => Promise<unknown>, string | null]>([
    [
      'its owner ends it',
      ({ accessToken }, id) =>
        new PcBrowser().visit(`${world.url}/iam/me/api_keys/${id}`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${accessToken}` },
        }),
      'ended_by_user',
    ],
    ['an administrator ends it', (_, id) => host.admin.delete(`api_keys/${id}`), 'ended_by_admin'],
    ['its owner is banned', ({ id }) => host.admin.post(`users/${id}/disable`, {}), 'user_disabled'],
    [
      'an administrator takes the last identity of its owner',
      async ({ id }) => {
        const [identity] = (await host.admin.get(`users/${id}`)).json()['identities'] as { id: string }[];
        return host.admin.delete(`users/${id}/identities/${identity?.id ?? ''}?force=true`);
      },
      'identity_unlinked',
    ],
    [
      'its owner becomes another user',
      async ({ id }) => {
        const older = '00000000-0000-7000-8000-000000000001';
        await world.dataSource.query(
          `INSERT INTO iam.users (id, created_at) VALUES ($1, now() - interval '1 year')`,
          [older],
        );
        return host.admin.post(`users/${older}/merge`, { other: id });
      },
      'merged',
    ],
    [
      'its owner asks to be erased',
      ({ accessToken }) =>
        new PcBrowser().visit(`${world.url}/iam/me/deletion`, {
          method: 'POST',
          headers: { authorization: `Bearer ${accessToken}` },
        }),
      'deletion_requested',
    ],
    ['its owner is erased', ({ id }) => host.admin.delete(`users/${id}`), null],
    [
      'it expires',
      (_, id) => world.dataSource.query(`UPDATE iam.api_keys SET expires_at = now() WHERE id = $1`, [id]),
      null,
    ],
    [
      'a statement of the host bans its owner',
      ({ id }) => world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [id]),
      null,
    ],
    [
      'a statement of the host removes the last identity of its owner',
      ({ id }) => world.dataSource.query(`DELETE FROM iam.identities WHERE user_id = $1`, [id]),
      null,
    ],
  ])('works no longer, on any replica within five seconds, once %s', async (_case, end, reason) => {
    const owner = await clerk();
    const { key, id } = await keyOf(owner);
    const before = [await host.outcome('orders/refund', key), await elsewhere.outcome('orders/refund', key)];

    await end(owner, id);
    clock.advance(SECONDS);
    const after = await host.outcome('orders/refund', key);
    const afterElsewhere = await elsewhere.outcome('orders/refund', key);

    expect(before).toEqual([
      [200, null],
      [200, null],
    ]);
    expect([after, afterElsewhere]).toEqual([
      [401, 'invalid_token'],
      [401, 'invalid_token'],
    ]);
    expect((await auditOf('api_key.ended', id)).map((entry) => entry['reason'])).toEqual(
      reason === null ? [] : [reason],
    );
  });

  it('works no longer as soon as its end is done, also where it was used while that was not', async () => {
    const { key, id } = await keyOf(await clerk());
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('LOCK TABLE iam.audit_log IN SHARE MODE');

    const end = host.admin.delete(`api_keys/${id}`);
    await until('the key is about to end', async () => (await countWaiting(world.dataSource)) === 1);
    const meanwhile = await host.outcome('orders/refund', key);
    await runner.commitTransaction();
    await runner.release();
    const { status } = await end;
    const after = await host.outcome('orders/refund', key);

    expect([meanwhile, status, after]).toEqual([[200, null], 204, [401, 'invalid_token']]);
  });

  it('of a service works while the service does, and ends with it', async () => {
    const { key, id, client_id } = await serviceKey();
    const outcomes = [await host.outcome('orders/refund', key)];

    for (const enabled of [false, true]) {
      await host.admin.patch(`clients/${client_id}`, { enabled });
      clock.advance(SECONDS);
      outcomes.push(await host.outcome('orders/refund', key));
    }
    await host.admin.delete(`clients/${client_id}`);
    clock.advance(SECONDS);
    outcomes.push(await host.outcome('orders/refund', key));

    const refused = [401, 'invalid_token'];
    expect(outcomes).toEqual([[200, null], refused, [200, null], refused]);
    expect(await auditOf('api_key.ended', id)).toEqual([
      { actor: 'admin_token', user_id: null, client_id, reason: 'client_deleted' },
    ]);
  });

  it('is refused where a person is needed, and uses the admin API under its own name', async () => {
    await host.admin.post('roles', { name: 'keeper', permissions: ['iam:*'] });
    const owner = await signedInWithRoles(world, ['keeper']);
    const { key, id } = await keyOf(owner, { permissions: ['iam:roles:write', 'iam:api_keys:read'] });
    const machine = new AdminClient(world.url, key);

    const refused = await Promise.all(
      ['iam/me', 'iam/me/api_keys', 'orders'].map((path) => host.outcome(path, key)),
    );
    const access = await machine.get('access');
    const created = await machine.post('roles', { name: 'by-key', permissions: ['iam:roles:write'] });
    const beyond = await machine.post('roles', { name: 'by-key-2', permissions: ['iam:users:read'] });
    const list = await machine.get(`api_keys?user=${owner.id}&live=true&q=daily`);
    const none = await machine.get(`api_keys?client=none`);
    const gone = await machine.delete(`api_keys/${id}`);

    expect(refused).toEqual(refused.map(() => [403, 'person_required']));
    expect(access.json()).toEqual({
      actor: 'api_key',
      permissions: ['iam:roles:write', 'iam:api_keys:read'],
    });
    expect([created.status, beyond.code, gone.code]).toEqual([
      201,
      'insufficient_permissions',
      'insufficient_permissions',
    ]);
    expect(list.items().map(({ id: each, user_id }) => [each, user_id])).toEqual([[id, owner.id]]);
    expect(none.items()).toEqual([]);
    const sql = `SELECT actor FROM iam.audit_log WHERE action = 'role.created' AND detail->>'role' = 'by-key'`;
    expect(await valueOf(world.dataSource, sql)).toBe(`api_key:${id}`);
  });

  it('is not guessed: two thousand tries are no more statements than the limit, and those of another form none', async () => {
    const { key } = await keyOf(await clerk());
    await host.outcome('orders/refund', key);
    const guess = (number: number) => `iamk_${String(number).padStart(44, 'x')}`;
    const statuses = async (count: number, tokenAt: (number: number) => string) => {
      const found = new Map<number, number>();
      for (let first = 0; first < count; first += 200) {
        const batch = Array.from({ length: 200 }, (_, each) =>
          host.get('orders/refund', tokenAt(first + each)),
        );
        for (const { status } of await Promise.all(batch)) found.set(status, (found.get(status) ?? 0) + 1);
      }
      return Object.fromEntries(found);
    };
    const start = queries.mark();

    const wellFormed = await statuses(1_800, guess);
    const asked = queries.since(start).length;
    const working = await host.outcome('orders/refund', key);
    clock.advance(60);
    const again = queries.mark();
    const badlyFormed = await statuses(200, (number) => `iamk_${number}`);
    const askedFor = queries.since(again);
    const repeated = await statuses(200, () => guess(1));
    await Promise.all(Array.from({ length: GUESSES }, () => host.requestToken({ client_id: 'nobody' })));
    const { key: unused } = await keyOf(await clerk());

    expect(asked).toBeLessThanOrEqual(GUESSES);
    expect(wellFormed).toEqual({ 401: GUESSES, 429: 1_800 - GUESSES });
    expect(working).toEqual([200, null]);
    expect(askedFor).toEqual([]);
    // Neither is a guess: a script with an old key shuts out nobody who shares its address. Nor does an unknown application.
    expect([badlyFormed, repeated]).toEqual([{ 401: 200 }, { 401: 200 }]);
    expect(await host.outcome('orders/refund', unused)).toEqual([200, null]);
  });
});
