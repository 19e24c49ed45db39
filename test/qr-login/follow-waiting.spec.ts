import { setTimeout as delay } from 'node:timers/promises';
import { type QrLogin, qrStateOf } from '../../src/qr-login/qr-login.js';
import { QrLogins } from '../../src/qr-login/qr-logins.service.js';
import { LoginWatch } from '../../src/qr-login/login-watch.service.js';
import { openEvents } from '../support/event-stream.js';
import { SkewedClock } from '../support/fake-clock.js';
import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  type Device,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { countQueries, isHousekeeping, type QueryCounter } from '../support/query-counter.js';
import { valueOf } from '../support/rows.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const WAITING = 300;

/** What every replica asks once a tick for all who wait. */
const isTick = (sql: string) => sql.includes("status = 'pending' AND problem IS NULL");

const isAside = (sql: string) => isTick(sql) || isHousekeeping(sql);

describe('what waiting costs', () => {
  let world: World;
  let counter: QueryCounter;
  const clock = new SkewedClock(0);

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { rateLimits: 'off' }, clock });
    counter = countQueries(world.database.url);
  });
  afterAll(async () => {
    counter.stop();
    await world.close();
  });

  /** The statements of `work` that it caused itself. */
  async function costOf(work: () => Promise<unknown>): Promise<readonly string[]> {
    const mark = counter.mark();
    await work();
    return counter.since(mark).filter((sql) => !isAside(sql));
  }

  async function manyDevices(count: number): Promise<readonly Device[]> {
    const devices: Device[] = [];
    while (devices.length < count)
      devices.push(...(await Promise.all(Array.from({ length: 50 }, () => askForQrCode(world.url)))));
    return devices;
  }

  it('is at most two queries a second for hundreds of browsers, however often they ask', async () => {
    const devices = await manyDevices(WAITING);
    const streams = await Promise.all(devices.map((device) => openEvents(device.eventsUri)));

    const mark = counter.mark();
    const began = performance.now();
    await Promise.all(devices.slice(0, 200).map((device) => poll(world.url, device)));
    await delay(1_500);
    const seconds = (performance.now() - began) / 1000;
    const statements = counter.since(mark);
    for (const stream of streams) stream.close();

    expect(statements.filter(isTick).length).toBeGreaterThan(0);
    expect(statements.filter((sql) => sql.includes('iam.logins')).length).toBeLessThanOrEqual(2 * seconds);
    expect(statements.filter((sql) => !isAside(sql))).toEqual([]);
  }, 60_000);

  it('is nothing for a poll, of whatever replica began the sign-in', async () => {
    const device = await askForQrCode(world.url);
    const replica = await startReplica(world);
    await poll(replica.url, device);
    const mark = counter.mark();
    const began = performance.now();

    for (let polls = 0; polls < 20; polls += 1) {
      await poll(world.url, device);
      await poll(replica.url, device);
    }
    const seconds = (performance.now() - began) / 1000;
    const statements = counter.since(mark);
    await replica.close();

    expect(statements.filter(isTick).length).toBeLessThanOrEqual(2 * Math.ceil(seconds));
    expect(statements.filter((sql) => !isAside(sql))).toEqual([]);
  });

  it('is a query for the first polls of a process that has been asleep, which says how things stand', async () => {
    const device = await askForQrCode(world.url);
    const before = await poll(world.url, device);
    await world.dataSource.query(`UPDATE iam.logins SET status = 'denied', error = 'access_denied'`);
    clock.pass(4);

    const after = await Promise.all([poll(world.url, device), poll(world.url, device)]);

    expect(before.json()['error']).toBe('authorization_pending');
    expect(after.map((reply) => reply.json()['error'])).toEqual(['access_denied', 'access_denied']);
  });

  it('is nothing any more, some time after the last one has left', async () => {
    clock.pass(20);
    await delay(1_500);
    const mark = counter.mark();

    await delay(2_500);

    expect(counter.since(mark).filter((sql) => sql.includes('iam.logins'))).toEqual([]);
  });

  it('is one round trip and no call for a push of a scan, of a new follower or an old one', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const [first, second] = [await askForQrCode(world.url), await askForQrCode(world.url)];
    await world.wechat.person({ nickname: '先来' }).follow(world.oa);
    world.wechat.clearCalls();

    const subscribing = await costOf(() => scanAndFollow(world, lan, first.qr));
    const scanning = await costOf(() => scanAndFollow(world, lan, second.qr));

    expect([subscribing.length, scanning.length]).toEqual([1, 1]);
    expect(world.wechat.calls().filter(({ path }) => path.startsWith('/cgi-bin/'))).toEqual([]);
  });

  it('is one round trip for a number in the chat', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const ming = world.wechat.person({ nickname: '小明' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, ming, device.qr);

    const cost = await costOf(() => ming.say(world.oa, device.userCode));
    await world.saveProvider({ qr_confirmation: 'none' });

    expect(ming.chat(world.oa).at(-1)?.text).toContain('已确认');
    expect(cost).toHaveLength(1);
  });

  it('is two calls to WeChat and three round trips for the poll that gets tokens, of somebody known two', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const collect = async (base: string) => {
      const device = await askForQrCode(world.url);
      await scanAndFollow(world, hua, device.qr);
      world.wechat.clearCalls();
      let reply = { status: 0 };
      const cost = await costOf(async () => (reply = await poll(base, device)));
      return { status: reply.status, trips: cost.length, calls: world.wechat.calls().length };
    };
    const replica = await startReplica(world);

    const asNew = await collect(world.url);
    const asKnown = await collect(world.url);
    const cold = await collect(replica.url);
    await replica.close();

    expect(asNew).toMatchObject({ status: 200, trips: 3 });
    expect(asNew.calls).toBeLessThanOrEqual(2);
    expect(asKnown).toEqual({ status: 200, trips: 2, calls: 1 });
    expect(cold.status).toBe(200);
    expect(cold.trips).toBeLessThanOrEqual(5);
  });

  it.each([
    ['none', 5, 4],
    ['tap', 7, 6],
  ] as const)(
    'is, from the QR code to the tokens with confirmation %s, %i round trips of somebody new and %i of somebody known',
    async (confirmation, ofNew, ofKnown) => {
      await world.saveProvider({ qr_confirmation: confirmation });
      await scanAndFollow(world, world.wechat.person({ nickname: '先' }), (await askForQrCode(world.url)).qr);
      const mei = world.wechat.person({ nickname: '小梅' });
      const signIn = async () => {
        const device = await askForQrCode(world.url);
        await scanAndFollow(world, mei, device.qr);
        if (confirmation === 'tap') await decideOnPhone(world, mei, 'confirm');
        expect((await poll(world.url, device)).status).toBe(200);
      };

      const costs = [await costOf(signIn), await costOf(signIn)];
      await world.saveProvider({ qr_confirmation: 'none' });

      expect(costs.map(({ length }) => length)).toEqual([ofNew, ofKnown]);
    },
  );

  it('is nothing on the phone before WeChat, and one round trip for each page after it', async () => {
    await world.saveProvider({ qr_confirmation: 'tap' });
    const lan = world.wechat.person({ nickname: '小雨' });
    await scanAndFollow(world, lan, (await askForQrCode(world.url)).qr);
    const link = confirmLink(world, lan);
    const phone = new PcBrowser(userAgents.wechat);
    const pages: Awaited<ReturnType<typeof lan.openInWechat>>[] = [];
    const open = async () => pages.push(await lan.openInWechat(link));

    const leaving = await costOf(() => phone.visit(link));
    const [arriving, again] = [await costOf(open), await costOf(open)];
    await world.saveProvider({ qr_confirmation: 'none' });

    expect(pages.map(({ body }) => body.includes('name="decision"'))).toEqual([true, true]);
    expect([leaving.length, arriving.length, again.length]).toEqual([0, 1, 1]);
  });

  it('is bounded for whoever asks for a QR code', async () => {
    const cost = await costOf(() => askForQrCode(world.url, new PcBrowser()));

    expect(cost).toHaveLength(1);
  });
});

describe('what limits add to it', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' });
  });
  afterAll(() => world.close());

  it('is the return of the phone’s point, once WeChat has taken its code', async () => {
    await scanAndFollow(world, world.wechat.person({ nickname: '先' }), (await askForQrCode(world.url)).qr);
    const ping = world.wechat.person({ nickname: '小平' });
    const counter = countQueries(world.database.url);
    const signIn = async () => {
      const mark = counter.mark();
      const device = await askForQrCode(world.url);
      await scanAndFollow(world, ping, device.qr);
      await decideOnPhone(world, ping, 'confirm');
      expect((await poll(world.url, device)).status).toBe(200);
      return counter.since(mark).filter((sql) => !isAside(sql));
    };

    const statements = [await signIn(), await signIn()];
    counter.stop();

    expect(statements.map(({ length }) => length)).toEqual([8, 7]);
    expect(statements.flat().filter((sql) => sql.includes('iam.take_points'))).toHaveLength(4);
  });
});

const newestLogin = async ({ dataSource }: World) =>
  String(await valueOf(dataSource, 'SELECT id FROM iam.logins ORDER BY created_at DESC LIMIT 1'));

describe('what a replica reads of logins that wait', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ provider: { qr_enabled: true } });
  });
  afterAll(() => world.close());

  const startLogin = async (): Promise<string> => {
    const form = { client_id: 'web', provider: 'wechat' };
    await new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form });
    return newestLogin(world);
  };

  /** The states that a watcher is told of, until one of them is `last`. */
  const statesUntil = (loginId: string, last: string): Promise<string[]> =>
    new Promise((resolve) => {
      const states: string[] = [];
      const stop = world.app.get(LoginWatch).listen(loginId, {
        next: (login) => {
          const state = login === null ? 'gone' : qrStateOf(login);
          states.push(state);
          if (state !== last) return;
          resolve(states);
          setImmediate(() => stop());
        },
        complete: () => resolve(states),
      });
    });

  it('leaves out those that still wait', async () => {
    const follows = world.app.get(QrLogins);
    const [waiting, scanned, unknown] = [await startLogin(), await startLogin(), await startLogin()];
    await world.dataSource.query(`UPDATE iam.logins SET status = 'scanned' WHERE id = $1`, [scanned]);

    const changed = await follows.findChanged([waiting, scanned, unknown], [waiting, scanned]);

    expect(new Set(changed.map(({ id }) => id))).toEqual(new Set([scanned, unknown]));
  });

  it('sees a scan that landed on another replica', async () => {
    const loginId = await startLogin();
    const states = statesUntil(loginId, 'scanned');

    await world.dataSource.query(`UPDATE iam.logins SET status = 'scanned' WHERE id = $1`, [loginId]);

    expect(await states).toEqual(['pending', 'scanned']);
  });

  it('sees that time ran out', async () => {
    const loginId = await startLogin();
    const states = statesUntil(loginId, 'expired');

    await world.dataSource.query('UPDATE iam.logins SET redeem_before = now() WHERE id = $1', [loginId]);

    expect(await states).toEqual(['pending', 'expired']);
  });
});

describe('waiting for a scan while PostgreSQL is away', () => {
  let world: World;
  let proxy: TcpProxy;
  let replica: IamApp;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { rateLimits: 'off' } });
    proxy = await TcpProxy.start(world.database.url);
    const options = { database: { preparedStatements: false } };
    replica = await startReplica({ ...world, database: { ...world.database, url: proxy.url } }, { options });
  });
  afterAll(async () => {
    await replica.close();
    await proxy.cut();
    await world.close();
  });
  afterEach(() => proxy.restore());

  it('goes on where the login is known, and ends in a sign-in when it is back', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    const { pathname, search } = new URL(device.eventsUri);
    const stream = await openEvents(`${replica.url}${pathname}${search}`);
    await poll(replica.url, device);

    await proxy.cut();
    const waiting = await poll(replica.url, device);
    await scanAndFollow(world, lan, device.qr);
    await proxy.restore();
    await stream.until('confirmed');
    const reply = await pollUntilSettled(replica.url, device);
    await stream.ended;

    expect(waiting.json()['error']).toMatch(/authorization_pending|slow_down/);
    expect(reply.status).toBe(200);
  });

  it('goes by what has just happened here, not by what was being read before', async () => {
    await askForQrCode(world.url);
    const loginId = await newestLogin(world);
    const change = (status: string) =>
      world.dataSource.query('UPDATE iam.logins SET status = $2 WHERE id = $1', [loginId, status]);
    await change('scanned');
    const watch = replica.app.get(LoginWatch);
    const states: string[] = [];
    const next = (login: QrLogin | null) => states.push(login === null ? 'gone' : qrStateOf(login));
    const stop = watch.listen(loginId, { next, complete: () => undefined });
    await until('it is known', () => states.length === 1);

    proxy.holdAnswerTo("status = 'pending' AND problem IS NULL");
    await until('it is read again', () => proxy.isHolding);
    await change('confirmed');
    watch.note(loginId, { status: 'confirmed', openid: 'openid' });
    proxy.release();
    await change('denied');
    await until('the next tick has read it', () => states.includes('denied'));
    stop();

    expect(states).toEqual(['scanned', 'confirmed', 'denied']);
  });

  it('answers 503 where it would have to be read, within a moment, and works afterwards', async () => {
    const device = await askForQrCode(world.url);
    await proxy.cut();

    const began = performance.now();
    const reply = await poll(replica.url, device);
    const seconds = (performance.now() - began) / 1000;
    await proxy.restore();
    const afterwards = await poll(replica.url, device);

    expect([reply.status, reply.json()['error']]).toEqual([503, 'temporarily_unavailable']);
    expect(reply.headers.get('retry-after')).not.toBeNull();
    expect(seconds).toBeLessThan(5);
    expect(afterwards.json()['error']).toBe('authorization_pending');
  });
});
