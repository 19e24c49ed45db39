import { IamHealth } from '../../src/index.js';
import { SkewedClock } from '../support/fake-clock.js';
import { startFollowWorld } from '../support/follow.js';
import { startReplica, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { startMiniWorld } from '../support/mini.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';

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
    const counters = await rowsOf(
      world.dataSource,
      `SELECT points FROM iam.rate_limits WHERE key LIKE 'qr:minute:%'`,
    );
    await replica.close();

    expect(statuses(replies)).toEqual({ 200: PER_MINUTE, 429: 10 });
    expect(created).toBe(PER_MINUTE);
    expect(counters).toEqual([{ points: PER_MINUTE }]);
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
    const world = await startFollowWorld({}, { ...limits(PER_MINUTE), isBehindProxy: true });
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
    const world = await startFollowWorld({}, { ...limits(PER_MINUTE), isBehindProxy: true });

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

describe('the day of QR codes', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const hour = (world: World, hours: number) =>
    world.dataSource.query(
      `UPDATE iam.rate_limits SET expire = expire - $1 * 3600000.0 WHERE key NOT LIKE 'qr:minute:%'`,
      [hours],
    );
  const startWith = (
    rateLimits: Readonly<Record<string, number>>,
    settings: Parameters<typeof startFollowWorld>[1] = {},
  ) => startFollowWorld({}, { options: { rateLimits }, isBehindProxy: true, ...settings });
  const askFrom = async (world: World, addresses: readonly string[]) =>
    statuses(await Promise.all(addresses.map((address) => ask(world.url, from(address)))));

  it('comes back evenly, not at midnight', async () => {
    const world = await startWith({ qrPerAccountAndDay: 12 });
    const spent = await askFrom(
      world,
      Array.from({ length: 13 }, () => '198.51.100.7'),
    );

    await hour(world, 2);
    const later = await askFrom(world, Array(2).fill('198.51.100.7'));
    await world.close();

    expect([spent, later]).toEqual([
      { 200: 12, 429: 1 },
      { 200: 1, 429: 1 },
    ]);
  });

  it.each([
    ['an IPv6 /56', 2, (n: number) => `2001:db8:1:${(n % 200).toString(16)}::1`],
    ['an IPv6 /48', 4, (n: number) => `2001:db8:1:${((n * 257) % 60_000).toString(16)}::1`],
    ['an IPv4 /24', 4, (n: number) => `198.51.100.${n}`],
  ])('%s has %i times what one address has', async (_network, times, address) => {
    const world = await startWith({ qrPerAddressAndDay: 3 });

    const asked = await askFrom(
      world,
      Array.from({ length: 3 * times + 4 }, (_, n) => address(n)),
    );
    const other = await askFrom(world, ['203.0.113.1', '2001:db8:2::1']);
    await world.close();

    expect(asked).toEqual({ 200: 3 * times, 429: 4 });
    expect(other).toEqual({ 200: 2 });
  });

  it('keeps a quarter for networks that come rarely, and says so before the end', async () => {
    const [logger, clock] = [new LogCapture(), new SkewedClock(0)];
    const world = await startWith({ qrPerAccountAndDay: 40, qrPerAddressAndMinute: 100 }, { logger, clock });
    const health = async () => (await world.app.get(IamHealth).check())['iam'];

    const askMany = (length: number) =>
      askFrom(
        world,
        Array.from({ length }, () => '198.51.100.7'),
      );
    const early = [await askMany(28), logger.with('of its QR codes').length];
    const warned = [await askMany(1), logger.with('of its QR codes').length];
    const many = await askMany(6);
    const report = await health();
    const rare = await askFrom(
      world,
      Array.from({ length: 11 }, (_, n) => `203.0.${n}.1`),
    );
    const lines = logger.with('of its QR codes');
    clock.pass(600);
    await askFrom(world, ['198.51.100.7', '198.51.100.7']);
    const later = logger.with('of its QR codes');
    await world.close();

    expect([early, warned]).toEqual([
      [{ 200: 28 }, 0],
      [{ 200: 1 }, 1],
    ]);
    expect(many).toEqual({ 200: 1, 429: 5 });
    expect(rare).toEqual({ 200: 10, 429: 1 });
    expect([lines.length, later.length]).toEqual([1, 2]);
    expect(report).toMatchObject({
      status: 'up',
      problems: ['qr_codes_low'],
      qr_codes: [{ appid: world.oa.appid }],
    });
  });

  it('is spent by codes that WeChat made, and by no others', async () => {
    const world = await startWith({ qrPerAccountAndDay: 5, qrPerAddressAndDay: 5 });
    world.wechat.always('/cgi-bin/qrcode/create', { errcode: 45009 });

    const failed = [];
    for (let n = 0; n < 8; n += 1) failed.push(await ask(world.url, from('198.51.100.7')));
    const health = (await world.app.get(IamHealth).check())['iam'];
    world.wechat.clearFaults();
    const made = await askFrom(world, Array(6).fill('198.51.100.7'));
    await world.close();

    expect(statuses(failed)).toEqual({ 503: 8 });
    expect(health?.problems).not.toContain('qr_codes_low');
    expect(made).toEqual({ 200: 5, 429: 1 });
  });

  it('leaves no row for who was refused', async () => {
    const world = await startWith({ qrPerAddressAndDay: 1 });
    await askFrom(world, ['2001:db8:1:1::1', '2001:db8:1:2::1', '2001:db8:1:300::1', '2001:db8:1:400::1']);
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.rate_limits');

    const refused = await askFrom(
      world,
      Array.from({ length: 30 }, (_, n) => `2001:db8:1:${(0x500 + n).toString(16)}::1`),
    );
    const after = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.rate_limits');
    await world.close();

    expect(refused).toEqual({ 429: 30 });
    expect(after).toBe(before);
  });
});

describe('the minute of mini program codes', () => {
  it('keeps a quarter for networks that come rarely, and asks WeChat for no more than it makes', async () => {
    const logger = new LogCapture();
    const world = await startMiniWorld({}, { logger, isBehindProxy: true });
    const { mini } = world;
    const askFrom = async (address: string) => (await ask(world.url, { 'x-forwarded-for': address })).status;
    const use = (key: string, seconds: number) =>
      world.dataSource.query(
        `INSERT INTO iam.rate_limits (key, expire) VALUES ($1, extract(epoch FROM clock_timestamp()) * 1000 + $2::int * 1000)
         ON CONFLICT (key) DO UPDATE SET expire = excluded.expire`,
        [key, seconds],
      );
    await use(`qr:rare:${mini.appid}:198.51.100.0/24`, 86_400);

    await use(`qr:minute-budget:${mini.appid}`, 57);
    const scarce = [await askFrom('198.51.100.7'), await askFrom('203.0.113.1')];
    await use(`qr:minute-budget:${mini.appid}`, 120);
    const spent = await askFrom('203.0.113.1');
    const made = world.wechat.calls('/wxa/getwxacodeunlimit').length;
    const health = (await world.app.get(IamHealth).check())['iam'];
    await world.close();

    expect([...scarce, spent]).toEqual([429, 200, 429]);
    expect(made).toBe(1);
    expect(logger.with("of a minute's mini program codes")).toHaveLength(1);
    expect(health?.problems).not.toContain('qr_codes_low');
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
