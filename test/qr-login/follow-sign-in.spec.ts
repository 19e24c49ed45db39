import { untilSeen } from '../support/event-stream.js';
import { openEvents } from '../support/event-stream.js';
import { FakeClock } from '../support/fake-clock.js';
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
import { PcBrowser } from '../support/pc-browser.js';
import { onFastify } from '../support/platforms.js';
import { valueOf } from '../support/rows.js';
import { authorizeUrl, getWith, pkce, returnInsideWechat, toTokens } from '../support/sign-in.js';

describe('a person signs in on a PC by following', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' });
  });
  afterAll(() => world.close());

  it('scans, follows, confirms on the phone, and the poll gets tokens', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);

    const before = await poll(world.url, device);
    await scanAndFollow(world, lan, device.qr);
    const scanned = await poll(world.url, device);
    await decideOnPhone(world, lan, 'confirm');
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(before.json()['error']).toBe('authorization_pending');
    expect(String(scanned.json()['error'])).toMatch(/authorization_pending|slow_down/);
    expect(me.json()).toMatchObject({ identities: [{ kind: 'mp', appid: world.oa.appid }] });
  });

  it('is the same user as inside WeChat, by the unionid', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, ming, device.qr);
    await decideOnPhone(world, ming, 'confirm');
    const byFollow = toTokens(await pollUntilSettled(world.url, device));
    await returnInsideWechat(world.url, ming);
    const users: unknown = await world.dataSource.query(
      'SELECT count(DISTINCT user_id)::int AS users, count(*)::int AS unions FROM iam.unions WHERE unionid = $1',
      [ming.unionid(world.account)],
    );

    expect(byFollow.accessToken).not.toBe('');
    expect(users).toEqual([{ users: 1, unions: 1 }]);
  });

  it('is told on the PC when the phone declines, for good', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, hua, device.qr);
    const link = confirmLink(world, hua);
    await decideOnPhone(world, hua, 'deny');
    const denied = await pollUntilSettled(world.url, device);
    const later = await hua.openInWechat(link);

    expect(denied.status).toBe(400);
    expect(denied.json()['error']).toBe('access_denied');
    expect(later.body).toContain('已拒绝');
  });

  it('belongs to the first scanner: a second person is turned away and changes nothing', async () => {
    const first = world.wechat.person({ nickname: '第一' });
    const second = world.wechat.person({ nickname: '第二' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, first, device.qr);
    await scanAndFollow(world, second, device.qr);
    const answer = second.chat(world.oa).at(-1)?.text;
    const foreign = await second.openInWechat(confirmLink(world, first));
    await decideOnPhone(world, first, 'confirm');
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    const owner: unknown = await world.dataSource.query(
      'SELECT openid FROM iam.identities WHERE user_id = $1',
      [me.json()['id']],
    );

    expect(answer).toContain('其他人');
    expect(foreign.status).toBe(403);
    expect(owner).toEqual([{ openid: first.openid(world.oa) }]);
  });

  it('gives one session, however many polls collect at once', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, li, device.qr);
    await decideOnPhone(world, li, 'confirm');
    await untilSeen('confirmed', device.eventsUri);

    const replies = await Promise.all(Array.from({ length: 20 }, () => poll(world.url, device)));

    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1);
    expect(
      new Set(replies.filter((reply) => reply.status !== 200).map((reply) => reply.json()['error'])),
    ).toEqual(new Set(['invalid_grant']));
  });

  it('expires after its five minutes', async () => {
    const device = await askForQrCode(world.url);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending' AND method = 'follow'`,
    );

    const reply = await pollUntilSettled(world.url, device);

    expect(reply.json()['error']).toBe('expired_token');
  });

  it('takes no other client’s device code and no invented one', async () => {
    const device = await askForQrCode(world.url);

    const invented = await poll(world.url, { deviceCode: device.deviceCode.replace(/.$/, 'x') });
    const scene = await poll(world.url, { deviceCode: device.qr });

    expect([invented.json()['error'], scene.json()['error']]).toEqual(['invalid_grant', 'invalid_grant']);
  });
});

describe('the number on the PC', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' });
  });
  afterAll(() => world.close());

  it('signs in whoever sends it to the Official Account', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, lan, device.qr);
    await lan.say(world.oa, device.userCode);
    const reply = await pollUntilSettled(world.url, device);

    expect(reply.status).toBe(200);
    expect(lan.chat(world.oa).at(-1)?.text).toContain('已确认');
  });

  it('may be wrong twice, and the third time ends the sign-in', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const device = await askForQrCode(world.url);
    const wrong = device.userCode === '0000' ? '0001' : '0000';

    await scanAndFollow(world, ming, device.qr);
    for (let tries = 0; tries < 3; tries += 1) await ming.say(world.oa, wrong);
    const reply = await pollUntilSettled(world.url, device);

    expect(reply.json()['error']).toBe('access_denied');
  });

  it('can be typed on the confirm page instead', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, hua, device.qr);
    const wrong = await decideOnPhone(world, hua, 'confirm', { number: '12a4' });
    await decideOnPhone(world, hua, 'confirm', { number: device.userCode });
    const reply = await pollUntilSettled(world.url, device);

    expect(wrong.body).toContain('数字不正确');
    expect(reply.status).toBe(200);
  });
});

describe('without a confirmation', () => {
  it('signs in on the scan alone', async () => {
    const world = await startFollowWorld({ qr_confirmation: 'none' });
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);

    await scanAndFollow(world, lan, device.qr);
    const reply = await pollUntilSettled(world.url, device);

    expect(reply.status).toBe(200);
    await world.close();
  });
});

describe('following on a Fastify host', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { create: onFastify });
  });
  afterAll(() => world.close());

  it('signs in by scan, confirmation and poll, and tells the events on the way', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    const events = await openEvents(device.eventsUri);

    await scanAndFollow(world, lan, device.qr);
    await events.until('scanned');
    await decideOnPhone(world, lan, 'confirm');
    await events.until('confirmed');
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    events.close();

    expect(events.headers.get('content-type')).toContain('text/event-stream');
    expect(me.status).toBe(200);
  });

  it('shows the module’s own page and starts it by POST', async () => {
    const browser = new PcBrowser();
    const page = await browser.visit(authorizeUrl(world.url, pkce().challenge));
    const state = /data-attempt="(\w+)"/.exec(page.text)?.[1];

    const started = await browser.visit(`${world.url}/iam/follow`, { body: { state } });

    expect(page.status).toBe(200);
    expect(started.json()).toMatchObject({ expires_in: 300 });
  });

  it('ends an event stream that has nothing to tell with a problem', async () => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/device_authorization/events?watch=x`, {
      headers: { accept: 'text/event-stream' },
    });

    expect([reply.status, reply.json()['code']]).toEqual([404, 'not_found']);
  });
});

describe('a QR code near the end of the attempt whose page shows it', () => {
  let world: World;
  const clock = new FakeClock();

  beforeAll(async () => {
    world = await startFollowWorld({}, { clock, options: { rateLimits: 'off', loginLifetime: 400 } });
  });
  // WeChat's time is the real one, and a push from another time is refused.
  afterEach(() => {
    clock.advance((Date.now() - clock.now()) / 1000);
  });
  afterAll(() => world.close());

  const leftOf = (qrScanner: string) =>
    valueOf(
      world.dataSource,
      `SELECT round(extract(epoch FROM redeem_before - now()))::int FROM iam.logins WHERE openid = $1`,
      [qrScanner],
    );

  it('lives as long as the attempt, at WeChat and here, and the page is told', async () => {
    const page = await openFollowPage(world.url);
    const fresh = (await startOnPage(page)).json()['expires_in'];
    clock.advance(280);

    const late = (await startOnPage(page)).json()['expires_in'];
    const asked = world.wechat.calls('/cgi-bin/qrcode/create').at(-1)?.body ?? '';

    expect(fresh).toBe(300);
    expect(late).toBeGreaterThan(100);
    expect(late).toBeLessThanOrEqual(120);
    expect(asked).toContain(`"expire_seconds":${String(late)}`);
  });

  it('is not kept alive by a scan for longer than the attempt', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const page = await openFollowPage(world.url);
    clock.advance(280);
    const { qr } = codesOf(await startOnPage(page));

    await scanAndFollow(world, lan, qr);

    expect(Number(await leftOf(lan.openid(world.oa)))).toBeLessThanOrEqual(120);
  });

  it('says on the phone that it is over, to who scans or opens the link after the attempt', async () => {
    const [ming, hua] = [
      world.wechat.person({ nickname: '小明' }),
      world.wechat.person({ nickname: '小华' }),
    ];
    const page = await openFollowPage(world.url);
    const [first, second] = [codesOf(await startOnPage(page)), codesOf(await startOnPage(page))];
    await scanAndFollow(world, ming, first.qr);
    const link = confirmLink(world, ming);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = LEAST(redeem_before, now()), attempt_ends_at = now()`,
    );

    await scanAndFollow(world, hua, second.qr);
    const opened = await ming.openInWechat(link);
    clock.advance(401);
    const pc = await finishOnPage(page, first.deviceCode);

    expect(hua.chat(world.oa).at(-1)?.text).toContain('no longer valid');
    expect(opened.body).toContain('失效');
    expect(pc.json()['code']).toBe('state_expired');
  });
});
