import { once } from 'node:events';
import { connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { eventsAt as at, openEvents } from '../support/event-stream.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { startReplica, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { type Create, quietOptions } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { countWaiting } from '../support/rows.js';
import { until } from '../support/until.js';

const json = { headers: { accept: 'application/json' } };
const unlimited = { options: { rateLimits: 'off' as const } };
const onHttp2: Create = (module) =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ http2: true }), quietOptions);

describe('the events of a waiting sign-in', () => {
  let world: World;
  let other: IamApp;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, unlimited);
    other = await startReplica(world, unlimited);
  });
  afterAll(async () => {
    await other.close();
    await world.close();
  });
  afterEach(() => world.saveProvider({ qr_confirmation: 'tap' }));

  const lapse = () =>
    world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );

  it('are a stream that no proxy keeps back and nobody stores', async () => {
    const device = await askForQrCode(world.url);

    const stream = await openEvents(device.eventsUri);
    stream.close();

    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(stream.headers.get('cache-control')).toContain('no-store');
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
  });

  it('say scanned and confirmed within a moment when the push lands on the same replica', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    const stream = await openEvents(device.eventsUri);

    await scanAndFollow(world, lan, device.qr);
    const scannedAt = performance.now();
    await stream.until('scanned');
    const seconds = (performance.now() - scannedAt) / 1000;
    await decideOnPhone(world, lan, 'confirm');
    await stream.until('confirmed');
    stream.close();

    expect(stream.types).toEqual(['scanned', 'confirmed']);
    expect(seconds).toBeLessThan(0.9);
    expect(stream.text()).not.toContain(lan.openid(world.oa));
    expect(stream.text()).not.toContain(device.deviceCode);
  });

  it('say the same when the push lands on another replica than the stream', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const device = await askForQrCode(world.url);
    const stream = await openEvents(at(other, device.eventsUri));

    await scanAndFollow(world, ming, device.qr);
    await stream.until('scanned');
    await decideOnPhone(world, ming, 'confirm');
    await stream.until('confirmed');
    stream.close();

    expect(stream.types).toEqual(['scanned', 'confirmed']);
  });

  it('end with a denial or an expiry, on either replica', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const denied = await askForQrCode(world.url);
    const expired = await askForQrCode(world.url);
    const streams = await Promise.all([
      openEvents(denied.eventsUri),
      openEvents(at(other, denied.eventsUri)),
      openEvents(expired.eventsUri),
      openEvents(at(other, expired.eventsUri)),
    ]);

    await scanAndFollow(world, hua, denied.qr);
    await Promise.all(streams.slice(0, 2).map((stream) => stream.until('scanned')));
    await decideOnPhone(world, hua, 'deny');
    await lapse();
    await Promise.all(streams.map((stream) => stream.ended));

    expect(streams.map(({ types }) => types)).toEqual([
      ['scanned', 'denied'],
      ['scanned', 'denied'],
      ['expired'],
      ['expired'],
    ]);
  });

  it('begin with what has happened already', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, li, device.qr);
    await decideOnPhone(world, li, 'confirm');

    const stream = await openEvents(at(other, device.eventsUri));
    await stream.until('confirmed');
    stream.close();

    expect(stream.types).toEqual(['confirmed']);
  });

  it('end once the sign-in was collected', async () => {
    await world.saveProvider({ qr_confirmation: 'none' });
    const wang = world.wechat.person({ nickname: '小王' });
    const device = await askForQrCode(world.url);
    const here = await openEvents(device.eventsUri);
    const there = await openEvents(at(other, device.eventsUri));

    await scanAndFollow(world, wang, device.qr);
    const reply = await pollUntilSettled(world.url, device);
    await Promise.all([here.ended, there.ended]);

    expect(reply.status).toBe(200);
    expect([here.types.at(-1), there.types.at(-1)]).toEqual(['done', 'done']);
  });

  it('are three streams for a login and then 429, until one is closed', async () => {
    const device = await askForQrCode(world.url);
    const streams = [];
    for (let count = 0; count < 3; count += 1) streams.push(await openEvents(device.eventsUri));

    const fourth = await new PcBrowser().visit(device.eventsUri, json);
    streams[0]?.close();
    await until('a place is free', async () => {
      const again = await openEvents(device.eventsUri);
      streams.push(again);
      return again.status === 200;
    });
    for (const stream of streams) stream.close();

    expect([fourth.status, fourth.json()['code']]).toEqual([429, 'rate_limited']);
    expect(fourth.headers.get('retry-after')).not.toBeNull();
  });

  it('keep neither their place nor their connection once the login has ended, for a client that does not read', async () => {
    const replica = await startReplica(world, { ...unlimited, create: onHttp2 });
    const device = await askForQrCode(world.url);
    const path = at({ url: '' }, device.eventsUri);
    // Without a window the server sends the head alone.
    const [stalled, reading] = [0, 65_535].map((initialWindowSize) =>
      connect(replica.url, { settings: { initialWindowSize } }),
    );
    const statusAt = async (session = reading) => {
      const stream = session?.request({ ':path': path, accept: 'application/json' });
      if (stream === undefined) throw new TypeError('no session');
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & IncomingHttpStatusHeader];
      return { stream, status: headers[':status'] };
    };
    const streams = await Promise.all([statusAt(stalled), statusAt(stalled), statusAt(stalled)]);
    const fourth = await statusAt();

    const closed = Promise.all(streams.map(({ stream }) => once(stream, 'close')));
    await lapse();
    let after = fourth;
    for (let tries = 0; tries < 50 && after.status === 429; tries += 1) {
      await delay(100);
      after = await statusAt();
    }
    const areOpen = streams.map(({ stream }) => !stream.closed);
    await closed;
    for (const session of [stalled, reading]) session?.destroy();
    await replica.close();

    expect([...streams, fourth, after].map(({ status }) => status)).toEqual([200, 200, 200, 429, 200]);
    expect(areOpen).toEqual([true, true, true]);
  });

  it('are nothing for a token that is none, whatever it is', async () => {
    const device = await askForQrCode(world.url);
    const base = `${world.url}/iam/device_authorization/events`;
    const tokens = [
      'x',
      device.deviceCode,
      device.eventsUri.replace(/.$/, '*').split('=')[1] ?? '',
      'a'.repeat(200),
    ];

    const unknown = await Promise.all(
      tokens.map((watch) =>
        new PcBrowser().visit(`${base}?${new URLSearchParams({ watch }).toString()}`, json),
      ),
    );
    const odd = await Promise.all(
      ['', '?watch=a&watch=b', `?watch=${'a'.repeat(300)}`].map((query) =>
        new PcBrowser().visit(`${base}${query}`, json),
      ),
    );

    expect(unknown.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      tokens.map(() => [404, 'not_found']),
    );
    expect(odd.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      Array.from({ length: 3 }, () => [400, 'invalid_request']),
    );
  });
});

describe('a replica on which nobody waits', () => {
  it('asks the database for no logins', async () => {
    const world = await startFollowWorld({}, unlimited);
    const counter = countQueries(world.database.url);

    await delay(2_500);
    const statements = counter.since(0);
    counter.stop();
    await world.close();

    expect(statements.filter((sql) => sql.includes('iam.logins'))).toEqual([]);
  });
});

let isStopping = (): void => undefined;
let mayStop = Promise.resolve();

/** A host that goes down when a test lets it. */
@Injectable()
class SlowToStop implements BeforeApplicationShutdown {
  async beforeApplicationShutdown(): Promise<void> {
    isStopping();
    await mayStop;
  }
}

/** Has a replica with `SlowModule` go down as far as that; `finish` lets it end. */
async function startToStop(replica: IamApp): Promise<{ finish: () => Promise<void> }> {
  let goOn = (): void => undefined;
  mayStop = new Promise((resolve) => (goOn = resolve));
  const stops = new Promise<void>((resolve) => (isStopping = resolve));
  const closing = replica.close();
  await stops;
  return { finish: () => (goOn(), closing) };
}

@Module({ providers: [SlowToStop] })
class SlowModule {}

describe('a replica that goes down', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, unlimited);
  });
  afterAll(() => world.close());

  it('ends its streams without a word of expiry, and the browser waits on at another', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const replica = await startReplica(world, unlimited);
    const device = await askForQrCode(replica.url);
    const stream = await openEvents(at(replica, device.eventsUri));

    await replica.close();
    await stream.ended;
    await scanAndFollow(world, lan, device.qr);
    const reply = await pollUntilSettled(world.url, device);

    expect(stream.types).toEqual([]);
    expect(reply.status).toBe(200);
  });

  it('answers a poll that waits for the database with 503, and not as if the code were unknown', async () => {
    const replica = await startReplica(world, unlimited);
    const device = await askForQrCode(world.url);
    const lock = world.dataSource.createQueryRunner();
    await lock.startTransaction();
    await lock.query('LOCK TABLE iam.logins IN ACCESS EXCLUSIVE MODE');
    const polling = poll(replica.url, device);
    await until('the poll waits', async () => (await countWaiting(world.dataSource)) === 1);

    const closing = replica.close();
    const reply = await polling;
    await lock.rollbackTransaction();
    await lock.release();
    await closing;

    expect([reply.status, reply.json()['error']]).toEqual([503, 'temporarily_unavailable']);
  });

  it('answers the polls of its last moments', async () => {
    const replica = await startReplica(world, { ...unlimited, imports: [SlowModule] });
    const device = await askForQrCode(world.url);

    const { finish } = await startToStop(replica);
    const reply = await poll(replica.url, device);
    await finish();

    expect(reply.json()['error']).toBe('authorization_pending');
  });

  it('takes no stream that would keep it from stopping', async () => {
    const replica = await startReplica(world, { ...unlimited, imports: [SlowModule] });
    const device = await askForQrCode(world.url);
    const began = performance.now();

    const { finish } = await startToStop(replica);
    const stream = await openEvents(at(replica, device.eventsUri));
    const ended = await Promise.race([stream.ended.then(() => true), delay(3_000, false)]);
    stream.close();
    await finish();

    expect(ended).toBe(true);
    expect(stream.types).toEqual([]);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
