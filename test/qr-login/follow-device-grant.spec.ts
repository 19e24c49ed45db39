import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import * as oauth from 'oauth4webapi';
import { PhoneLogins } from '../../src/qr-login/phone-logins.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { cookieClient, cookiesOf } from '../support/cookie-client.js';
import { untilSeen } from '../support/event-stream.js';
import { SkewedClock } from '../support/fake-clock.js';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the test's host is http on loopback
const insecure = { [oauth.allowInsecureRequests]: true };

describe('the device grant', () => {
  let world: World;
  const clock = new SkewedClock(0);

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'tap' },
      {
        clock,
        options: {
          rateLimits: 'off',
          clients: [{ id: 'other', redirectUris: ['https://other.example/back'] }],
        },
      },
    );
  });
  afterAll(() => world.close());

  const errorOf = async (device: { deviceCode: string }) => {
    const reply = await poll(world.url, device);
    return [reply.status, reply.json()['error']];
  };
  const sceneOf = (): string => {
    const call = world.wechat.calls('/cgi-bin/qrcode/create').at(-1);
    return /"scene_str":"([^"]+)"/.exec(call?.body ?? '')?.[1] ?? '';
  };

  it('is completed by a client library that is not ours', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const client: oauth.Client = { client_id: 'web' };
    const none = oauth.None();
    const issuer = new URL(world.url);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }),
    );

    const device = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(server, client, none, { provider: 'wechat' }, insecure),
    );
    const ask = async () =>
      oauth.processDeviceCodeResponse(
        server,
        client,
        await oauth.deviceCodeGrantRequest(server, client, none, device.device_code, insecure),
      );
    const early = await ask().catch((error: unknown) => error);
    await scanAndFollow(world, lan, device.verification_uri_complete ?? '');
    await decideOnPhone(world, lan, 'confirm');
    clock.pass(device.interval ?? 5);
    const granted = await ask();
    const me = (await getWith(`${world.url}/iam/me`, granted.access_token)).json();

    expect(server.grant_types_supported).toContain('urn:ietf:params:oauth:grant-type:device_code');
    expect(device).toMatchObject({ expires_in: 300, interval: 2 });
    expect(early).toMatchObject({ error: 'authorization_pending', status: 400 });
    expect(granted).toMatchObject({ token_type: 'bearer', expires_in: 900 });
    expect(me).toMatchObject({ identities: [{ kind: 'mp' }] });
  });

  it('tells an eager client to slow down and a patient one to wait', async () => {
    const device = await askForQrCode(world.url);

    const first = await errorOf(device);
    const eager = await errorOf(device);
    clock.pass(2);
    const patient = await errorOf(device);

    expect([first, eager, patient]).toEqual([
      [400, 'authorization_pending'],
      [400, 'slow_down'],
      [400, 'authorization_pending'],
    ]);
  });

  it('ends once it was collected', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, ming, device.qr);
    await decideOnPhone(world, ming, 'confirm');

    toTokens(await pollUntilSettled(world.url, device));
    const again = await errorOf(device);
    await delay(1_200);
    const later = await errorOf(device);

    expect([again, later]).toEqual([
      [400, 'invalid_grant'],
      [400, 'invalid_grant'],
    ]);
  });

  it('stays denied or expired, however often it is asked', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const denied = await askForQrCode(world.url);
    const expired = await askForQrCode(world.url);
    await scanAndFollow(world, hua, denied.qr);
    await decideOnPhone(world, hua, 'deny');
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );
    await untilSeen('denied', denied.eventsUri);
    await untilSeen('expired', expired.eventsUri);

    const answers = [
      await errorOf(denied),
      await errorOf(denied),
      await errorOf(expired),
      await errorOf(expired),
    ];

    expect(answers.map(([, error]) => error)).toEqual([
      'access_denied',
      'access_denied',
      'expired_token',
      'expired_token',
    ]);
  });

  it('answers the scan of an expired code with words, and keeps it expired', async () => {
    const late = world.wechat.person({ nickname: '迟到' });
    const device = await askForQrCode(world.url);
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );

    await scanAndFollow(world, late, device.qr);
    const reply = await pollUntilSettled(world.url, device);

    expect(late.chat(world.oa).at(-1)?.text).toContain('二维码已失效');
    expect(reply.json()['error']).toBe('expired_token');
    expect(
      await rowsOf(world.dataSource, `SELECT 1 FROM iam.logins WHERE openid = $1`, [late.openid(world.oa)]),
    ).toEqual([]);
  });

  it('belongs to the client that asked', async () => {
    const device = await askForQrCode(world.url);
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'other',
      device_code: device.deviceCode,
    };

    const other = await new PcBrowser().visit(`${world.url}/iam/token`, { form });
    const unknown = await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { ...form, client_id: 'nobody' },
    });

    expect([other.status, other.json()['error']]).toEqual([400, 'invalid_grant']);
    expect([unknown.status, unknown.json()['error']]).toEqual([401, 'invalid_client']);
  });

  it('answers every code that is none alike', async () => {
    const device = await askForQrCode(world.url);
    const watch = new URL(device.eventsUri).searchParams.get('watch') ?? '';
    const codes = [sceneOf(), device.qr, watch, 'x', device.deviceCode.slice(0, -1), 'a'.repeat(200)];

    const replies = await Promise.all(codes.map((deviceCode) => poll(world.url, { deviceCode })));

    expect(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(replies[0]?.json()['error']).toBe('invalid_grant');
  });

  it('puts a scene of its own into the QR code, which no row holds in clear', async () => {
    const scenes = new Set<string>();
    let device = await askForQrCode(world.url);
    for (let codes = 0; codes < 10; codes += 1) {
      scenes.add(sceneOf());
      device = await askForQrCode(world.url);
    }
    const scene = sceneOf();
    const rows = JSON.stringify(await rowsOf(world.dataSource, 'SELECT * FROM iam.logins'));
    const { length } = scene;

    expect(scenes.size).toBe(10);
    expect(scene).toMatch(/^iam:[A-Za-z0-9]{22,60}$/);
    expect(length).toBeLessThanOrEqual(64);
    expect((length - 'iam:'.length) * Math.log2(62)).toBeGreaterThan(128);
    expect(rows).not.toContain(scene);
    expect(rows).not.toContain(device.deviceCode);
    expect(rows).not.toContain(scene.slice(4));
    expect(device.deviceCode).not.toContain(scene.slice(4));
    expect(scene).not.toContain(device.deviceCode);
  });

  it('marks the session as one that began with a scan', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, li, device.qr);
    await decideOnPhone(world, li, 'confirm');

    toTokens(await pollUntilSettled(world.url, device));
    const sessions = await rowsOf(
      world.dataSource,
      'SELECT method, appid, openid, provider FROM iam.sessions WHERE openid = $1',
      [li.openid(world.oa)],
    );

    expect(sessions).toEqual([
      { method: 'follow', appid: world.oa.appid, openid: li.openid(world.oa), provider: 'wechat' },
    ]);
  });

  it('signs no disabled user in', async () => {
    const wang = world.wechat.person({ nickname: '小王' });
    const signIn = async () => {
      const device = await askForQrCode(world.url);
      await scanAndFollow(world, wang, device.qr);
      await decideOnPhone(world, wang, 'confirm');
      return pollUntilSettled(world.url, device);
    };
    toTokens(await signIn());
    await world.dataSource.query(
      `UPDATE iam.users SET status = 'disabled' WHERE id = (SELECT user_id FROM iam.identities WHERE openid = $1)`,
      [wang.openid(world.oa)],
    );

    const reply = await signIn();

    expect([reply.status, reply.json()['error']]).toEqual([400, 'access_denied']);
    expect(
      await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE openid = $1', [
        wang.openid(world.oa),
      ]),
    ).toBe(1);
  });

  it('finds the event that came before the first poll, and even before WeChat’s answer with the QR code', async () => {
    const zhao = world.wechat.person({ nickname: '小赵' });
    const early = world.wechat.person({ nickname: '抢先' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, zhao, device.qr);
    await decideOnPhone(world, zhao, 'confirm');
    const late = await pollUntilSettled(world.url, device);

    const before = world.wechat.calls('/cgi-bin/qrcode/create').length;
    world.wechat.once('/cgi-bin/qrcode/create', { afterConsuming: true, delay: 1_500 });
    const asking = askForQrCode(world.url);
    while (world.wechat.calls('/cgi-bin/qrcode/create').length === before) await delay(10);
    await world.oa.push({
      MsgType: 'event',
      Event: 'SCAN',
      FromUserName: early.openid(world.oa),
      EventKey: sceneOf(),
      Ticket: 'ticket',
    });
    const scanned: unknown = await world.dataSource.query('SELECT status FROM iam.logins WHERE openid = $1', [
      early.openid(world.oa),
    ]);
    const asked = await asking;
    await scanAndFollow(world, early, asked.qr);
    await decideOnPhone(world, early, 'confirm');
    const answered = await pollUntilSettled(world.url, asked);

    expect(late.status).toBe(200);
    expect(scanned).toEqual([{ status: 'scanned' }]);
    expect(answered.status).toBe(200);
  });
});

describe('the endings of the device grant', () => {
  let world: World;

  beforeAll(async () => {
    const resources = [{ identifier: 'https://one.example.com' }, { identifier: 'https://two.example.com' }];
    const options = { ...adminOptions, rateLimits: 'off', resources } as const;
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options });
  });
  afterAll(() => world.close());

  async function confirmed(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    return { person, device };
  }

  it('is a refusal where the row takes nobody new', async () => {
    await world.saveProvider({ sign_up: 'off' });
    const { device } = await confirmed('新人');

    const reply = await pollUntilSettled(world.url, device);

    expect([reply.status, reply.json()['error']]).toEqual([400, 'access_denied']);
    expect(await rowsOf(world.dataSource, 'SELECT 1 FROM iam.users')).toEqual([]);
  });

  it('is a binding token, once, where the row wants an account of the host and the phone was asked', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const { person, device } = await confirmed('旧人');

    const unasked = await poll(world.url, device);
    await decideOnPhone(world, person, 'confirm');
    const reply = await pollUntilSettled(world.url, device);
    const again = await pollUntilSettled(world.url, device);

    expect(unasked.json()['error']).toBe('authorization_pending');
    expect(reply.json()).toMatchObject({ error: 'binding_required', expires_in: 600 });
    expect(reply.json()['binding_token']).toMatch(/^[0-9a-f]{8}\./);
    expect(again.json()['error']).toBe('invalid_grant');
  });

  it('is no binding token for a scan that nobody was asked about, when the row came to want an account meanwhile', async () => {
    await world.saveProvider({ sign_up: 'auto' });
    const { device } = await confirmed('半路');
    await world.saveProvider({ sign_up: 'bind' });

    const reply = await pollUntilSettled(world.url, device);

    expect(reply.json()['error']).toBe('invalid_grant');
    expect(reply.json()).not.toHaveProperty('binding_token');
  });

  it('is not there yet where a request names an API that was not asked for', async () => {
    const [one, two] = ['https://one.example.com', 'https://two.example.com'];
    const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
    const tv = { id: 'tv', grants: [grant_type], resources: [one, two] };
    await new AdminClient(world.url).post('clients', tv);
    await world.saveProvider({ sign_up: 'auto' });
    const ask = (path: string, form: Readonly<Record<string, string>>) =>
      new PcBrowser().visit(`${world.url}/iam/${path}`, {
        form: { client_id: 'tv', ...form },
        headers: { accept: 'application/json' },
      });
    const device = (await ask('device_authorization', { provider: 'wechat', resource: one })).json();
    await scanAndFollow(
      world,
      world.wechat.person({ nickname: '电视' }),
      String(device['verification_uri_complete']),
    );
    const form = { grant_type, device_code: String(device['device_code']) };

    const other = await ask('token', { ...form, resource: two });
    const sessions = await rowsOf(world.dataSource, "SELECT 1 FROM iam.sessions WHERE client_id = 'tv'");
    const same = await ask('token', { ...form, resource: one });

    expect([other.json()['error'], sessions, same.status]).toEqual(['invalid_target', [], 200]);
  });

  it('names the Open Platform step where the row wants it', async () => {
    await world.saveProvider({ sign_up: 'auto', qr_login_with: 'open' });
    const { device } = await confirmed('开放');

    const reply = await pollUntilSettled(world.url, device);

    expect([reply.status, reply.json()['error']]).toEqual([400, 'interaction_required']);
    expect(String(reply.json()['authorize_uri'])).toContain(`${world.url}/iam/authorize?`);
    await world.saveProvider({ qr_login_with: 'mp' });
  });

  it('is the provider’s error when the row was switched off meanwhile', async () => {
    const { device } = await confirmed('关店');
    await world.saveProvider({ enabled: false });

    const reply = await pollUntilSettled(world.url, device);
    await world.saveProvider({ enabled: true });

    expect(reply.json()).toMatchObject({ error: 'access_denied', code: 'provider_disabled' });
  });
});

describe('follow-to-login of a cookie client', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' }, { options: { clients: [cookieClient()] } });
  });
  afterAll(() => world.close());

  it('is polled as ever and ends in cookies', async () => {
    const browser = new PcBrowser();
    const person = world.wechat.person({ nickname: '扫' });
    const asked = await browser.visit(`${world.url}/iam/device_authorization`, {
      form: { client_id: 'shop', provider: 'wechat' },
      from: world.url,
    });
    const { device_code, verification_uri_complete: qr } = asked.json();
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'shop',
      device_code: String(device_code),
    };
    const poll = () => browser.visit(`${world.url}/iam/token`, { form, from: world.url });

    const pending = await poll();
    await scanAndFollow(world, person, String(qr));
    const forced = await browser.visit(`${world.url}/iam/token`, { form, from: 'https://evil.example' });
    let settled = await poll();
    for (let tries = 0; tries < 50 && settled.status !== 200; tries += 1) {
      await delay(100);
      settled = await poll();
    }

    expect([pending.json()['error'], cookiesOf(pending)]).toEqual(['authorization_pending', []]);
    expect([forced.status, cookiesOf(forced)]).toEqual([403, []]);
    expect(settled.json()).toEqual({ token_type: 'N_A', expires_in: 900 });
    expect((await browser.visit(`${world.url}/iam/me`, { from: world.url })).status).toBe(200);
  });
});

describe('the code with which a phone returns to the confirm page', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ provider: { qr_enabled: true } });
  });
  afterAll(() => world.close());

  it('is claimed by one login only, whichever way that came by it', async () => {
    const loginIds = Array.from({ length: 6 }, () => randomUUID());
    for (const id of loginIds)
      await world.dataSource.query(
        `INSERT INTO iam.logins (id, scene_hash, status, provider, method, appid, client_id, expires_at)
         VALUES ($1, $2, 'scanned', 'wechat', 'follow', $3, 'web', now() + interval '1 minute')`,
        [id, `scene of ${id}`, world.oa.appid],
      );
    const claim = async (loginId: string, code: string) => {
      const named = { loginId, provider: 'wechat' };
      const { value } = await world.app.get(PhoneLogins).claim(named, world.oa, code, null);
      return value?.isClaimed;
    };

    const claims = [];
    for (const loginId of loginIds.slice(0, 2)) claims.push(await claim(loginId, 'a-code'));
    const atOnce = await Promise.all(loginIds.slice(2).map((loginId) => claim(loginId, 'another-code')));

    expect(claims).toEqual([true, false]);
    expect(atOnce.filter(Boolean)).toHaveLength(1);
  });
});
