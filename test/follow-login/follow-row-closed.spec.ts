import {
  askForQrCode,
  confirmLink,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { codesOf, finishOnPage, openFollowPage, startOnPage } from '../support/follow-page.js';
import type { World } from '../support/iam-app.js';
import { openEvents } from '../support/event-stream.js';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';

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
    const field = (name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(shown.body)?.[1] ?? '';
    const action = new URL(/<form method="post" action="([^"]+)"/.exec(shown.body)?.[1] ?? '', shown.url);
    await change('enabled = false');

    const decided = await lan.post(action.href, {
      login: field('login'),
      csrf: field('csrf'),
      decision: 'confirm',
    });
    const opened = await fetch(link, {
      headers: { 'accept-language': language, 'user-agent': 'MicroMessenger/8.0.50' },
      redirect: 'manual',
    });

    expect(decided.body).toContain('失效');
    expect([opened.status, await opened.text()]).toEqual([
      200,
      expect.stringContaining(language === 'en' ? 'Too late' : '失效'),
    ]);
    expect((await pollUntilSettled(world.url, device)).json()['code']).toBe('provider_disabled');
    expect(
      await valueOf(
        world.dataSource,
        `SELECT confirmed_at IS NULL FROM iam.logins WHERE provider = 'closing' ORDER BY id DESC LIMIT 1`,
      ),
    ).toBe(true);
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
