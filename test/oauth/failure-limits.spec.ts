import type { MiniProgram, Person } from '../../emulator/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { addApps, callMe, inApp, type Apps } from '../support/account.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, authorizeUrl, pkce } from '../support/sign-in.js';
import { until } from '../support/until.js';

const LIMIT = 20;
const settings = {
  options: { rateLimits: { failuresPerAddressAndMinute: LIMIT } },
  isBehindProxy: true,
};
const from = (address: string) => ({ 'x-forwarded-for': address });
const count = (replies: readonly Reply[]) =>
  Object.fromEntries(
    [...new Set(replies.map(({ status }) => status))].map((status) => [
      status,
      replies.filter((reply) => reply.status === status).length,
    ]),
  );

describe('what fails is limited by address and app', () => {
  let world: World;
  let replica: IamApp;
  let mini: MiniProgram;
  let apps: Apps;

  beforeEach(async () => {
    world = await startWorld(settings);
    replica = await startReplica(world, settings);
    apps = await addApps(world);
    ({ mini } = apps);
  });
  afterEach(async () => {
    await replica.close();
    await world.close();
  });

  const handIn = (code: string, at = 0, headers: Readonly<Record<string, string>> = {}) =>
    new PcBrowser().visit(`${at % 2 === 0 ? world.url : replica.url}/iam/token`, {
      form: { grant_type: 'urn:wechat:grant:mini_program', client_id: 'web', provider: 'wechat', code },
      headers: { accept: 'application/json', ...headers },
    });
  const people = (length: number) =>
    Array.from({ length }, (_, n) => world.wechat.person({ nickname: `客${n}` }));
  const rowsIn = (table: string) => valueOf(world.dataSource, `SELECT count(*)::int FROM iam.${table}`);
  const summed = () =>
    rowsOf(
      world.dataSource,
      `SELECT action, detail ->> 'error' AS error, sum(COALESCE((detail ->> 'count')::int, 1))::int AS refused,
              count(*)::int AS entries
       FROM iam.audit_log WHERE action IN ('login.failed', 'limit.refused') GROUP BY 1, 2 ORDER BY 1 DESC, 2`,
    );
  const endHour = async () => {
    await world.dataSource.query(`UPDATE iam.refusals SET hour = hour - interval '2 hours'`);
    await Promise.all([world, replica].map(({ app }) => app.get(Cleanup).removeExpired()));
  };

  it('made-up codes at two replicas ask WeChat and write as often as the limit says, and every one is in the audit log', async () => {
    const made = Array.from({ length: 300 }, (_, n) => `made-up-${n}`);
    const entries = Number(await rowsIn('audit_log'));

    const replies = await Promise.all(made.map((code, n) => handIn(code, n)));
    const asked = world.wechat.calls('/sns/jscode2session').length;
    const written = [
      await rowsIn('logins'),
      Number(await rowsIn('audit_log')) - entries,
      await rowsIn('refusals'),
    ];
    await endHour();

    expect(count(replies)).toEqual({ 400: LIMIT, 429: 300 - LIMIT });
    for (const reply of replies.filter(({ status }) => status === 429)) {
      expect(reply.json()['error']).toBe('slow_down');
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    expect(asked).toBe(LIMIT);
    expect(written).toEqual([LIMIT, LIMIT + 30, 2]);
    expect(await summed()).toEqual([
      { action: 'login.failed', error: 'wechat_code_invalid', refused: LIMIT, entries: LIMIT },
      { action: 'limit.refused', error: null, refused: 300 - LIMIT, entries: 31 },
    ]);
    expect(await rowsIn('refusals')).toBe(0);
  });

  it('people behind one address sign in, however many and however many at once', async () => {
    const everybody = people(3 * LIMIT);

    const replies = await Promise.all(everybody.map((person, n) => handIn(person.wxLogin(mini), n)));
    const failed = await handIn('made-up');

    expect(count(replies)).toEqual({ 200: 3 * LIMIT });
    expect(failed.status).toBe(400);
    const used = await rowsOf(
      world.dataSource,
      `SELECT points, held FROM iam.rate_limits WHERE key LIKE 'failures:minute:%:127.0.0.1'`,
    );
    expect(used).toEqual([{ points: 1, held: 0 }]);
  });

  it('people and made-up codes from one address at once: the people come in while there is room, and no failure is free', async () => {
    const codes = people(LIMIT).map((person: Person) => person.wxLogin(mini));
    const made = Array.from({ length: LIMIT - 1 }, (_, n) => `made-up-${n}`);

    const replies = await Promise.all([...made, ...codes].map((code, n) => handIn(code, n)));

    expect(count(replies)).toEqual({ 200: LIMIT, 400: LIMIT - 1 });
  });

  it('an address that is used up stops neither another address nor another app', async () => {
    const other = people(1)[0];
    const used = from('198.51.100.7');
    await Promise.all(Array.from({ length: LIMIT + 5 }, (_, n) => handIn(`made-up-${n}`, n, used)));

    const [same, elsewhere] = [await handIn('x', 0, used), await handIn('y', 0, from('198.51.100.8'))];
    const callback = await callbackOf(used);

    expect([same.status, elsewhere.status]).toEqual([429, 400]);
    expect(callback.location?.searchParams.get('error')).toBe('invalid_grant');
    expect(other).toBeDefined();
  });

  it.each([
    ['an IPv6 /56', 2, (n: number) => `2001:db8:1:${n.toString(16)}::1`],
    ['an IPv4 /24', 4, (n: number) => `198.51.100.${n}`],
  ])(
    '%s fails %i times as often as one address, whatever addresses it has',
    async (_network, times, address) => {
      const tries = Array.from({ length: LIMIT * times + 7 }, (_, n) => n);

      const replies = await Promise.all(tries.map((n) => handIn(`made-up-${n}`, n, from(address(n)))));

      expect(count(replies)).toEqual({ 400: LIMIT * times, 429: 7 });
      expect(world.wechat.calls('/sns/jscode2session')).toHaveLength(LIMIT * times);
    },
  );

  async function callbackOf(headers: Readonly<Record<string, string>>, code: string | null = 'made-up') {
    const browser = new PcBrowser();
    const start = await browser.visit(authorizeUrl(world.url, pkce().challenge), { headers });
    const url = new URL(`${world.url}/iam/callback/wechat`);
    url.searchParams.set('state', start.location?.searchParams.get('state') ?? '');
    if (code !== null)
      url.searchParams.set('code', `${code}-${url.searchParams.get('state')?.slice(0, 8) ?? ''}`);
    return browser.visit(url, { headers });
  }

  it('callbacks with made-up codes end at the client, and after the limit nobody asks WeChat for them', async () => {
    const replies = await Promise.all(Array.from({ length: LIMIT + 15 }, () => callbackOf({})));

    const errors = replies.map(({ location }) => location?.searchParams.get('error'));
    expect(errors.filter((error) => error === 'invalid_grant')).toHaveLength(LIMIT);
    expect(errors.filter((error) => error === 'slow_down')).toHaveLength(15);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toHaveLength(LIMIT);
    expect(await rowsIn('logins')).toBe(LIMIT);
  });

  it('callbacks without a code leave nothing that stays, and no more rows than the limit says', async () => {
    const replies = await Promise.all(Array.from({ length: LIMIT + 15 }, () => callbackOf({}, null)));

    const errors = replies.map(({ location }) => location?.searchParams.get('error'));
    expect(errors.filter((error) => error === 'access_denied')).toHaveLength(LIMIT);
    expect(await rowsIn('logins')).toBe(LIMIT);
    expect(await rowsOf(world.dataSource, `SELECT 1 FROM iam.audit_log WHERE action LIKE 'login.%'`)).toEqual(
      [],
    );
    const kept = await valueOf(
      world.dataSource,
      `SELECT count(*)::int FROM iam.logins WHERE expires_at > now() + interval '1 day'`,
    );
    expect(kept).toBe(0);
  });

  it('a person signs in on the PC after others at their address have failed, and gets their point back', async () => {
    for (let n = 1; n < LIMIT; n += 1) await callbackOf({});

    for (const person of people(2)) {
      const { browser, callback } = await approveOnPc(world, person);
      expect((await browser.visit(callback)).location?.searchParams.get('code')).toEqual(expect.any(String));
    }
  });

  it('what WeChat fails at costs the minute, and not the day', async () => {
    world.wechat.always('/sns/jscode2session', { errcode: -1 });
    const failed = await Promise.all(Array.from({ length: 5 }, (_, n) => handIn(`code-${n}`, n)));

    const left = await rowsOf(
      world.dataSource,
      `SELECT split_part(key, ':', 2) AS span, points > 0 OR expire > extract(epoch FROM now()) * 1000 AS used
       FROM iam.rate_limits WHERE key LIKE 'failures:%' AND key LIKE '%:127.0.0._%' ORDER BY key`,
    );

    expect(count(failed)).toEqual({ 503: 5 });
    expect(left.filter(({ span }) => span === 'day')).toEqual([{ span: 'day', used: false }]);
    expect(left.filter(({ span }) => span === 'minute').every(({ used }) => used === true)).toBe(true);
  });

  it('phone numbers and links by the code of an app are limited too', async () => {
    const user = await inApp(world, people(1)[0] ?? world.wechat.person({ nickname: '客' }), apps, 'mini');
    const tries = Array.from({ length: LIMIT + 3 }, (_, n) => n);
    const phone = await Promise.all(
      tries.map((n) =>
        callMe(world, user, '/phone_number', {
          method: 'POST',
          body: { provider: 'wechat', code: `made-${n}` },
        }),
      ),
    );
    const link = await Promise.all(
      tries.map((n) =>
        callMe(world, user, '/identities', {
          method: 'POST',
          body: { provider: 'wechat', app: 'mobile', code: `made-${n}` },
        }),
      ),
    );
    const binding = await Promise.all(
      tries.map((n) =>
        callMe(world, user, '/identities', { method: 'POST', body: { binding_token: `made-${n}` } }),
      ),
    );

    for (const replies of [phone, link, binding])
      expect(replies.filter(({ status }) => status === 429)).toHaveLength(3);
    expect(phone.find(({ status }) => status === 429)?.json()['code']).toBe('rate_limited');
  });

  it.each(['the callback of a browser', 'the code of a mini program'])(
    'a login that ended while WeChat was asked is no success, and its point is held no longer: %s',
    async (way) => {
      const lan = world.wechat.person({ nickname: '小兰' });
      const isCallback = way.includes('browser');
      let answer: (() => void) | undefined;
      const isAsked = new Promise<void>((resolve) => (answer = resolve));
      const path = isCallback ? '/sns/oauth2/access_token' : '/sns/jscode2session';
      world.wechat.once(path, { afterConsuming: true, until: isAsked });

      const approved = isCallback ? await approveOnPc(world, lan) : null;
      const replying =
        approved === null ? handIn(lan.wxLogin(mini)) : approved.browser.visit(approved.callback);
      await until('the claim', async () => (await rowsIn('logins')) === 1);
      await world.dataSource.query(`UPDATE iam.logins SET status = 'failed', error = 'login_interrupted'`);
      answer?.();
      const reply = await replying;
      const limits = await rowsOf(
        world.dataSource,
        'SELECT points, held FROM iam.rate_limits WHERE points > 0',
      );

      if (isCallback) expect(reply.location?.searchParams.get('code')).toBeNull();
      else expect(reply.status).toBe(400);
      expect(limits.map(({ held }) => held)).toEqual(limits.map(() => 0));
      expect(limits.length).toBeGreaterThan(0);
    },
  );

  it('tokens that we never issued are refused without a query, and after the limit without saying why', async () => {
    const token = (form: Readonly<Record<string, string>>) =>
      new PcBrowser().visit(`${world.url}/iam/token`, { form: { client_id: 'web', ...form } });
    const queries = countQueries(world.database.url);
    const replies = [];
    for (let n = 0; n < LIMIT; n += 3) {
      replies.push(await token({ grant_type: 'refresh_token', refresh_token: 'made-up' }));
      replies.push(
        await token({
          grant_type: 'authorization_code',
          code: 'made-up',
          code_verifier: 'v'.repeat(43),
        }),
      );
      replies.push(
        await token({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'made-up' }),
      );
    }
    const revoked = await new PcBrowser().visit(`${world.url}/iam/revoke`, {
      form: { client_id: 'web', token: 'made-up' },
    });
    const sent = queries.since(0);
    queries.stop();

    expect(count(replies)).toEqual({ 400: LIMIT, 429: replies.length - LIMIT });
    expect(revoked.status).toBe(429);
    expect(sent).toEqual([]);
  });
});

it('without limits nothing is counted', async () => {
  const world = await startWorld({ options: { rateLimits: 'off' } });
  await addApps(world);
  const form = { grant_type: 'urn:wechat:grant:mini_program', client_id: 'web', provider: 'wechat' };
  const tries = Array.from({ length: 70 }, (_, n) => ({ ...form, code: `made-up-${n}` }));

  const replies = await Promise.all(
    tries.map((each) => new PcBrowser().visit(`${world.url}/iam/token`, { form: each })),
  );
  const counters = await rowsOf(world.dataSource, 'SELECT 1 FROM iam.rate_limits');
  await world.close();

  expect(count(replies)).toEqual({ 400: 70 });
  expect(counters).toEqual([]);
});
