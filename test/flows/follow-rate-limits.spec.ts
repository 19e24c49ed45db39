import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { startFollowWorld } from '../support/follow.js';
import { startReplica, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';

const form = { client_id: 'web', provider: 'wechat' };
const ask = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  new PcBrowser().visit(`${url}/iam/device_authorization`, { form, headers });
const askAll = (urls: readonly string[], headers?: Readonly<Record<string, string>>) =>
  Promise.all(urls.map((url) => ask(url, headers)));
const statuses = (replies: readonly { readonly status: number }[]) =>
  Object.fromEntries(
    [...new Set(replies.map(({ status }) => status))].map((status) => [
      status,
      replies.filter((reply) => reply.status === status).length,
    ]),
  );
const PER_MINUTE = 12;
const limits = (qrPerAddressAndMinute: number, qrPerAccountAndDay = 1_000) => ({
  options: { rateLimits: { qrPerAddressAndMinute, qrPerAccountAndDay } },
});

describe('the limit on QR codes of one address', () => {
  let world: World;

  beforeEach(async () => {
    world = await startFollowWorld({}, limits(PER_MINUTE));
  });
  afterEach(() => world.close());

  it('is exact over two replicas that are asked at once', async () => {
    const replica = await startReplica(world, limits(PER_MINUTE));
    const asked = Array.from({ length: PER_MINUTE + 10 }, (_, index) =>
      index % 2 === 0 ? world.url : replica.url,
    );

    const replies = await askAll(asked);
    const refused = replies.filter(({ status }) => status === 429);
    const created = world.wechat.calls('/cgi-bin/qrcode/create').length;
    const counters = await rowsOf(world.dataSource, 'SELECT key, points FROM iam.rate_limits ORDER BY key');
    await replica.close();

    expect(statuses(replies)).toEqual({ 200: PER_MINUTE, 429: 10 });
    expect(created).toBe(PER_MINUTE);
    expect(counters.map(({ points }) => points)).toEqual(
      expect.arrayContaining([PER_MINUTE, PER_MINUTE + 10]),
    );
    for (const reply of refused) {
      expect(reply.json()).toMatchObject({ error: 'slow_down' });
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
  });

  it('is not moved by an X-Forwarded-For that nobody vouches for', async () => {
    const replies = await Promise.all(
      Array.from({ length: PER_MINUTE + 5 }, (_, index) =>
        ask(world.url, { 'x-forwarded-for': `198.51.100.${index}`, 'x-real-ip': `198.51.100.${index}` }),
      ),
    );

    expect(statuses(replies)).toEqual({ 200: PER_MINUTE, 429: 5 });
  });

  it('outlives a restart, since the database keeps it, and ends with its minute', async () => {
    await askAll(Array.from({ length: PER_MINUTE }, () => world.url));
    const replica = await startReplica(world, limits(PER_MINUTE));

    const refused = await ask(replica.url);
    await world.dataSource.query('UPDATE iam.rate_limits SET expire = 1');
    const afterwards = await ask(replica.url);
    await replica.close();

    expect([refused.status, afterwards.status]).toEqual([429, 200]);
  });
});

describe('addresses behind a trusted proxy', () => {
  it('are limited one by one', async () => {
    const world = await startFollowWorld({}, { ...limits(PER_MINUTE), prepare: (app) => trustProxy(app) });
    const exhausted = { 'x-forwarded-for': '198.51.100.7' };

    const replies = await askAll(
      Array.from({ length: PER_MINUTE + 1 }, () => world.url),
      exhausted,
    );
    const other = await ask(world.url, { 'x-forwarded-for': '198.51.100.8' });
    await world.close();

    expect(statuses(replies)).toEqual({ 200: PER_MINUTE, 429: 1 });
    expect(other.status).toBe(200);
  });

  it('are limited by their network where one host has more of them than it could ever use', async () => {
    const world = await startFollowWorld({}, { ...limits(PER_MINUTE), prepare: (app) => trustProxy(app) });

    const replies = await Promise.all(
      Array.from({ length: PER_MINUTE + 3 }, (_, index) =>
        ask(world.url, { 'x-forwarded-for': `2001:db8:1:2::${index}` }),
      ),
    );
    const other = await ask(world.url, { 'x-forwarded-for': '2001:db8:1:3::1' });
    await world.close();

    expect(statuses(replies)).toEqual({ 200: PER_MINUTE, 429: 3 });
    expect(other.status).toBe(200);
  });
});

describe('the limit on QR codes of one Official Account', () => {
  it('protects WeChat’s daily quota, whoever asks and at whatever row of the account', async () => {
    const world = await startFollowWorld({}, limits(1_000, PER_MINUTE));
    const { oa } = world;
    const mp = { mp_app_id: oa.appid, mp_app_secret: oa.secret };
    await world.saveProvider({ slug: 'second', name: 'second', qr_enabled: true, ...mp });
    const second = { client_id: 'web', provider: 'second' };

    await askAll(Array.from({ length: PER_MINUTE }, () => world.url));
    const first = await ask(world.url);
    const other = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form: second });
    await world.close();

    expect([first.status, other.status]).toEqual([429, 429]);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(3_600);
  });

  it('is sixty a minute for an address whose host said nothing', async () => {
    const world = await startFollowWorld();

    const replies = await askAll(Array.from({ length: 61 }, () => world.url));
    await world.close();

    expect(statuses(replies)).toEqual({ 200: 60, 429: 1 });
  });
});

describe('without limits', () => {
  it('everybody gets a QR code, and nothing is counted', async () => {
    const world = await startFollowWorld({}, { options: { rateLimits: 'off' } });

    const replies = await askAll(Array.from({ length: 70 }, () => world.url));
    const counters = await rowsOf(world.dataSource, 'SELECT * FROM iam.rate_limits');
    await world.close();

    expect(statuses(replies)).toEqual({ 200: 70 });
    expect(counters).toEqual([]);
  });
});

/** What a host on Express does behind its own proxy. */
function trustProxy(app: INestApplication): void {
  const adapter = app.getHttpAdapter();
  if (adapter instanceof ExpressAdapter) adapter.set('trust proxy', 'loopback');
}
