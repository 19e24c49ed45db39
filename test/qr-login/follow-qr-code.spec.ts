import { IdentityProviders } from '../../src/identity-providers/identity-providers.service.js';
import { openEvents } from '../support/event-stream.js';
import { codesOf, finishOnPage, openFollowPage, startOnPage } from '../support/follow-page.js';
import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import type { World } from '../support/iam-app.js';
import { fieldOf, PcBrowser, userAgents } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';

const ask = (world: World, fields: Readonly<Record<string, string>> = {}) =>
  new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
    form: { client_id: 'web', provider: 'wechat', ...fields },
  });

describe('asking for a QR code', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'none' },
      { options: { rateLimits: 'off', wechat: { timeout: 600 } } },
    );
  });
  afterAll(() => world.close());
  afterEach(() => {
    world.wechat.clearFaults();
    world.wechat.clearCalls();
  });

  it('takes one token for twenty who ask at a cold start', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask(world)));

    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(world.wechat.calls('/cgi-bin/stable_token')).toHaveLength(1);
    expect(world.wechat.calls('/cgi-bin/token')).toHaveLength(0);
    expect(world.wechat.calls('/cgi-bin/qrcode/create')).toHaveLength(20);
  });

  it('answers as RFC 8628 says, and nobody caches it', async () => {
    const reply = await ask(world);

    expect(reply.json()).toEqual({
      device_code: expect.stringMatching(/^[\w.-]{40,}$/) as string,
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/) as string,
      number: expect.stringMatching(/^\d{4}$/) as string,
      verification_uri: `${world.url}/iam/device`,
      verification_uri_complete: expect.stringContaining('://') as string,
      expires_in: 300,
      interval: 2,
      qr_image: expect.stringMatching(/^data:image\/svg\+xml;base64,/) as string,
      confirmation: 'none',
      events_uri: expect.stringContaining(`${world.url}/iam/device_authorization/events?watch=`) as string,
    });
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    [{ errcode: 45009 }, 503, 'temporarily_unavailable', 'wechat_quota_exceeded'],
    [{ errcode: 40164 }, 502, 'server_error', 'wechat_ip_not_allowed'],
    [{ errcode: 48001 }, 502, 'server_error', 'wechat_permission_missing'],
    [{ errcode: -1 }, 503, 'temporarily_unavailable', 'wechat_unavailable'],
    [{ status: 502 }, 503, 'temporarily_unavailable', 'wechat_unavailable'],
    [{ drop: true }, 503, 'temporarily_unavailable', 'wechat_unavailable'],
    [{ afterConsuming: true, delay: 1_500 }, 503, 'temporarily_unavailable', 'wechat_unavailable'],
    [{ body: '{"ticket":' }, 503, 'temporarily_unavailable', 'wechat_unavailable'],
    [{ remove: ['url'] }, 502, 'server_error', 'wechat_answer_invalid'],
  ] as const)('answers %j of WeChat with %i %s, and the row says %s', async (fault, status, error, code) => {
    world.wechat.once('/cgi-bin/qrcode/create', fault);

    const reply = await ask(world);
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT status, error FROM iam.logins ORDER BY id DESC LIMIT 1',
    );
    const next = await ask(world);

    expect([reply.status, reply.json()['error']]).toEqual([status, error]);
    expect(reply.text).not.toMatch(/errcode|errmsg|rid|access_token/);
    expect(row).toEqual({ status: 'failed', error: code });
    expect(next.status).toBe(200);
  });

  it('loses no scan that comes while a token is refused', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    world.wechat.once('/cgi-bin/user/info', { errcode: -1 });
    world.wechat.once('/cgi-bin/user/info', { errcode: -1 });
    world.wechat.once('/cgi-bin/user/info', { errcode: -1 });

    await scanAndFollow(world, lan, device.qr);
    const first = await pollUntilSettled(world.url, device);
    world.wechat.clearFaults();
    const second = await pollUntilSettled(world.url, device);

    expect([first.status, first.json()['error']]).toEqual([503, 'temporarily_unavailable']);
    expect(second.status).toBe(200);
  });

  it.each([40001, 42001, 40014])('fetches the token anew, once, when WeChat answers %i', async (errcode) => {
    await ask(world);
    world.wechat.clearCalls();
    world.wechat.once('/cgi-bin/qrcode/create', { errcode });

    const reply = await ask(world);

    expect(reply.status).toBe(200);
    expect(world.wechat.calls('/cgi-bin/stable_token')).toHaveLength(1);
    expect(world.wechat.calls('/cgi-bin/stable_token')[0]?.body).toContain('"force_refresh":false');
    expect(world.wechat.calls('/cgi-bin/qrcode/create')).toHaveLength(2);
  });

  it('fetches one token for ten calls that are refused at once', async () => {
    await ask(world);
    world.wechat.clearCalls();
    for (let calls = 0; calls < 10; calls += 1)
      world.wechat.once('/cgi-bin/qrcode/create', { errcode: 42001, delay: 100 });

    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(world)));

    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(world.wechat.calls('/cgi-bin/stable_token')).toHaveLength(1);
  });

  it('gives up after the one repetition', async () => {
    world.wechat.always('/cgi-bin/qrcode/create', { errcode: 40001 });

    const reply = await ask(world);

    expect([reply.status, reply.json()['error']]).toEqual([502, 'server_error']);
    expect(world.wechat.calls('/cgi-bin/qrcode/create')).toHaveLength(2);
  });

  it.each([
    [{ errcode: 40125 }, 502, 'server_error'],
    [{ errcode: 40164 }, 502, 'server_error'],
    [{ errcode: 40013 }, 502, 'server_error'],
  ] as const)('answers %j for the token without a loop', async (fault, status, error) => {
    await ask(world);
    world.wechat.clearCalls();
    world.wechat.once('/cgi-bin/qrcode/create', { errcode: 40001 });
    world.wechat.always('/cgi-bin/stable_token', fault);

    const reply = await ask(world);

    expect([reply.status, reply.json()['error']]).toEqual([status, error]);
    expect(world.wechat.calls('/cgi-bin/stable_token')).toHaveLength(1);
  });

  it('asks for the fields it needs, and for one of each', async () => {
    const visit = (form: Record<string, string>) =>
      new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form });
    const twice = await fetch(`${world.url}/iam/device_authorization`, {
      method: 'POST',
      body: new URLSearchParams('client_id=web&client_id=web&provider=wechat'),
    });

    const replies = await Promise.all([
      visit({}),
      visit({ client_id: 'web' }),
      visit({ client_id: 'web', provider: 'x'.repeat(64) }),
      visit({ client_id: 'nobody', provider: 'wechat' }),
      visit({ client_id: 'web', provider: 'nothing' }),
    ]);

    expect(replies.map((reply) => reply.json()['error'])).toEqual([
      'invalid_request',
      'invalid_request',
      'invalid_request',
      'invalid_client',
      'provider_not_found',
    ]);
    expect(twice.status).toBe(400);
    expect(world.wechat.calls()).toEqual([]);
  });

  it('is refused, with nothing stored, where the row has no QR code', async () => {
    const before = await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins');
    await world.saveProvider({ qr_enabled: false });
    const off = await ask(world);
    await world.saveProvider({ enabled: false, qr_enabled: true });
    const disabled = await ask(world);
    await world.saveProvider({
      slug: 'open-only',
      name: 'o',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    const noAccount = await ask(world, { provider: 'open-only' });
    await world.saveProvider({ enabled: true });

    expect([off, disabled, noAccount].map((reply) => [reply.status, reply.json()['error']])).toEqual([
      [400, 'method_unavailable'],
      [400, 'provider_disabled'],
      [400, 'wechat_mp_not_configured'],
    ]);
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.logins')).toBe(before);
  });
});

describe.each(platforms)('a QR code whose row signs nobody in any more, on %s', (_platform, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({}, { create, options: { rateLimits: 'off' } });
  });
  beforeEach(async () => {
    // The account's pushes come to the row `wechat`, whatever becomes of the row of the sign-in.
    await world.saveProvider({
      slug: 'closing',
      enabled: true,
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
      open_app_id: null,
      qr_enabled: true,
      qr_login_with: 'mp',
      qr_confirmation: 'tap',
    });
  });
  afterAll(() => world.close());

  const ask = () => askForQrCode(world.url, undefined, 'closing');
  const change = (sql: string) =>
    world.dataSource.query(`UPDATE iam.identity_providers SET ${sql} WHERE slug = 'closing'`);
  const lastOf = (person: ReturnType<World['wechat']['person']>) => person.chat(world.oa).at(-1)?.text;
  const over = /已失效[^]*no longer valid/;

  it.each([
    ['is disabled', 'enabled = false', 'provider_disabled'],
    ['has its QR code switched off', 'qr_enabled = false', 'method_unavailable'],
    ['has lost its account', 'mp_app_id = NULL', 'wechat_mp_not_configured'],
    ['has lost its AppSecret', 'mp_app_secret = NULL', 'wechat_mp_not_configured'],
    ['has another account', `mp_app_id = 'wx00000000000000ee'`, 'provider_misconfigured'],
    ['goes on to an app that it does not have', `qr_login_with = 'open'`, 'wechat_open_not_configured'],
    ['has another name', `slug = 'gone'`, 'provider_not_found'],
  ])('is over on the phone and on the PC when it %s', async (_case, sql, code) => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await ask();
    const events = await openEvents(device.eventsUri);
    await change(sql);

    await scanAndFollow(world, lan, device.qr);

    expect(lastOf(lan)).toMatch(over);
    await events.ended;
    expect(events.types).toEqual(['failed']);
    expect((await pollUntilSettled(world.url, device)).json()['code']).toBe(code);
    const [login] = await rowsOf(
      world.dataSource,
      `SELECT status, error, openid FROM iam.logins WHERE provider = 'closing' ORDER BY id DESC LIMIT 1`,
    );
    expect(login).toEqual({ status: 'failed', error: code, openid: null });
    await world.dataSource.query(`DELETE FROM iam.identity_providers WHERE slug = 'gone'`);
  });

  it('stays over when the row is enabled again, because the phone was told so', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await ask();
    await change('enabled = false');
    await scanAndFollow(world, lan, device.qr);
    await change('enabled = true');

    await lan.scan(device.qr);

    expect(lastOf(lan)).toMatch(over);
    expect((await pollUntilSettled(world.url, device)).json()['code']).toBe('provider_disabled');
  });

  it('ends on the page that shows it without any scan, with the way back saying why', async () => {
    const page = await openFollowPage(world.url, { provider: 'closing' });
    const { deviceCode, eventsUri } = codesOf(await startOnPage(page));
    const events = await openEvents(eventsUri);
    await change('enabled = false');

    await events.ended;
    expect(events.types).toEqual(['failed']);
    const answer = (await finishOnPage(page, deviceCode)).json();
    expect(answer['status']).toBe('failed');
    expect(new URL(String(answer['return_to'])).searchParams.get('error')).toBe('provider_disabled');
  });

  it.each(['zh-CN', 'en'])('is over on the confirm page that was opened before, in %s', async (language) => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await ask();
    await scanAndFollow(world, lan, device.qr);
    const link = confirmLink(world, lan);
    const shown = await lan.openInWechat(link);
    const action = new URL(/<form method="post" action="([^"]+)"/.exec(shown.body)?.[1] ?? '', shown.url);
    await change('enabled = false');

    const decided = await lan.post(action.href, {
      login: fieldOf(shown.body, 'login'),
      csrf: fieldOf(shown.body, 'csrf'),
      decision: 'confirm',
    });
    const again = await lan.openInWechat(link, { headers: { 'accept-language': language } });

    const text = language === 'en' ? 'Too late' : '失效';
    expect(decided.body).toContain('失效');
    expect([again.status, again.body]).toEqual([200, expect.stringContaining(text)]);
    expect((await pollUntilSettled(world.url, device)).json()['code']).toBe('provider_disabled');
    expect(
      await valueOf(
        world.dataSource,
        `SELECT confirmed_at IS NULL FROM iam.logins WHERE provider = 'closing' ORDER BY id DESC LIMIT 1`,
      ),
    ).toBe(true);
  });

  it('is over for a phone that comes back from WeChat, whose code is not exchanged', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await scanAndFollow(world, lan, (await ask()).qr);
    const phone = new PcBrowser(userAgents.wechat);
    const left = await phone.visit(confirmLink(world, lan));
    await change('enabled = false');
    world.wechat.clearCalls();

    const callback = new URL(`${world.url}/iam/confirm/closing`);
    callback.searchParams.set('state', left.location?.searchParams.get('state') ?? '');
    callback.searchParams.set('code', 'a-code');
    const returned = await phone.visit(callback);

    expect([returned.status, returned.text]).toEqual([200, expect.stringMatching(/失效|Too late/)]);
    expect(returned.headers.getSetCookie()).toEqual([]);
    expect(world.wechat.calls('/sns/oauth2/access_token')).toEqual([]);
  });

  it('is over before the phone proves anything, where the replica knows the row', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await scanAndFollow(world, lan, (await ask()).qr);
    await change('enabled = false');
    world.app.get(IdentityProviders).forget();

    const opened = await new PcBrowser(userAgents.wechat).visit(confirmLink(world, lan));

    expect([opened.status, opened.text]).toEqual([200, expect.stringMatching(/失效|Too late/)]);
    expect(opened.headers.getSetCookie()).toEqual([]);
  });

  it('takes no number after it, and says so in the chat', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await world.saveProvider({ slug: 'closing', qr_confirmation: 'number' });
    const device = await ask();
    await scanAndFollow(world, lan, device.qr);
    await change('enabled = false');

    await lan.say(world.oa, device.userCode);

    expect(lastOf(lan)).toMatch(over);
    expect((await pollUntilSettled(world.url, device)).json()['code']).toBe('provider_disabled');
  });

  it('cannot be collected once it is confirmed', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await ask();
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');
    await change('enabled = false');

    const settled = await poll(world.url, device);
    const later = await pollUntilSettled(world.url, device);

    expect([settled.status, later.json()['code']]).toEqual([400, 'provider_disabled']);
    expect(
      await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.sessions WHERE provider = 'closing'`),
    ).toBe(0);
  });
});
