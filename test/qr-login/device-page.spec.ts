import { setTimeout as delay } from 'node:timers/promises';
import * as oauth from 'oauth4webapi';
import {
  askForQrCode,
  decideOnPhone,
  poll,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { Visitor } from '../support/device-page.js';
import { startReplica, type World } from '../support/iam-app.js';
import { fieldOf, userAgents } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { rowsOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the test's host is http on loopback
const insecure = { [oauth.allowInsecureRequests]: true };
const english = { 'accept-language': 'en' };

describe.each(platforms)('the page for the code of a device, on %s', (_, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { create, options: { rateLimits: 'off' } });
  });
  afterAll(() => world.close());

  it('signs the device in of a client library that is not ours', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const issuer = new URL(world.url);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }),
    );
    const client: oauth.Client = { client_id: 'web' };
    const started = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(server, client, oauth.None(), { provider: 'wechat' }, insecure),
    );

    const tv = new Visitor(world);
    const form = await tv.browser.visit(started.verification_uri, { headers: english });
    const asked = await tv.type(started.user_code);
    const question = await tv.signIn(lan);
    const done = await tv.decide('confirm');
    await delay((started.interval ?? 5) * 1000);
    const granted = await oauth.processDeviceCodeResponse(
      server,
      client,
      await oauth.deviceCodeGrantRequest(server, client, oauth.None(), started.device_code, insecure),
    );
    const me = (await getWith(`${world.url}/iam/me`, granted.access_token)).json();

    expect(started.verification_uri).toBe(`${world.url}/iam/device`);
    expect(form.text).toContain('name="user_code"');
    expect(form.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const page of [asked, question]) expect(page.text).toContain(`>${started.user_code}<`);
    expect(asked.text).not.toContain('value="confirm"');
    expect(question.text).toContain('<dd>your WeChat</dd>');
    expect(question.text).not.toContain('<dt>Application</dt>');
    expect(done.text).toContain('<h1>Done</h1>');
    expect(me).toMatchObject({ nickname: null, identities: [{ kind: 'mp' }] });
    expect(await rowsOf(world.dataSource, 'SELECT method, openid FROM iam.sessions')).toEqual([
      { method: 'device', openid: lan.openid(world.oa) },
    ]);
  });

  it('takes the code as people type it', async () => {
    const { typedCode } = await askForQrCode(world.url);
    const wide = Array.from(typedCode.replace('-', ''), (each) =>
      String.fromCharCode(each.charCodeAt(0) + 0xfee0),
    ).join('　');

    for (const code of [
      typedCode.toLowerCase(),
      typedCode.replace('-', ''),
      ` ${typedCode.replace('-', ' – ')}.`,
      wide,
    ])
      expect((await new Visitor(world).type(code)).text).toContain(`>${typedCode}<`);
  });
});

describe('the page for the code of a device', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { options: { rateLimits: 'off' } });
  });
  afterAll(() => world.close());

  const errorOf = async (device: { deviceCode: string }) =>
    (await pollUntilSettled(world.url, device)).json()['error'];

  it('asks again for a code that nobody shows, and for one that is over', async () => {
    const device = await askForQrCode(world.url);
    await world.dataSource.query(`UPDATE iam.logins SET redeem_before = now() - interval '1 second'`);

    for (const code of ['BBBB-BBBB', 'x', '<b>', device.typedCode]) {
      const reply = await new Visitor(world).type(code);
      expect([reply.status, reply.text.includes('No device shows this code')]).toEqual([200, true]);
      expect(reply.text).toContain('name="user_code"');
      expect(reply.text).not.toContain('<b>');
    }
  });

  it('denies, before or after the sign-in', async () => {
    const [early, late] = [await askForQrCode(world.url), await askForQrCode(world.url)];
    const visitor = new Visitor(world);
    await visitor.type(early.typedCode);
    const first = await visitor.decide('deny');
    await visitor.type(late.typedCode);
    await visitor.signIn(world.wechat.person({ nickname: '小明' }));
    const second = await visitor.decide('deny');

    expect([first.text, second.text].every((text) => text.includes('<h1>Denied</h1>'))).toBe(true);
    expect([await errorOf(early), await errorOf(late)]).toEqual(['access_denied', 'access_denied']);
  });

  it('lets one of two people decide who do so at once', async () => {
    const device = await askForQrCode(world.url);
    const [first, second] = [new Visitor(world), new Visitor(world)];
    for (const [visitor, nickname] of [
      [first, '甲'],
      [second, '乙'],
    ] as const) {
      await visitor.type(device.typedCode);
      await visitor.signIn(world.wechat.person({ nickname }));
    }

    const ends = await Promise.all([first.decide('confirm'), second.decide('confirm')]);
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const after = await first.type(device.typedCode);

    expect(ends.map(({ text }) => /<h1>(.*)<\/h1>/.exec(text)?.[1]).toSorted()).toEqual([
      'Dealt with already',
      'Done',
    ]);
    expect((await getWith(`${world.url}/iam/me`, tokens.accessToken)).status).toBe(200);
    expect(after.text).toMatch(/<h1>(Done|Dealt with already)<\/h1>/);
    expect(await errorOf(device)).toBe('invalid_grant');
  });

  it('decides once, whatever two tabs, Back and a reload send', async () => {
    const device = await askForQrCode(world.url);
    const visitor = new Visitor(world);
    const before = await visitor.type(device.typedCode);
    await visitor.signIn(world.wechat.person({ nickname: '小华' }));
    const question = visitor.page;

    const stale = await visitor.decide('confirm', before.text);
    await visitor.decide('confirm', question);
    const again = await visitor.decide('confirm', question);
    const denied = await visitor.decide('deny', question);

    expect([stale.status, again.status]).toEqual([403, 200]);
    expect(denied.text).toContain('<h1>Done</h1>');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('is led past the typing by no link, and takes no form of another site', async () => {
    const device = await askForQrCode(world.url);
    const visitor = new Visitor(world);
    await visitor.type(device.typedCode);
    const token = fieldOf(visitor.page, 'device');

    const stranger = new Visitor(world);
    const linked = await stranger.browser.visit(`${world.url}/iam/device?device=${token}`);
    const foreign = await visitor.browser.visit(`${world.url}/iam/device/decision`, {
      form: { device: token, csrf: fieldOf(visitor.page, 'csrf'), decision: 'deny' },
      from: 'https://evil.example',
    });

    expect(linked.text).toContain('name="user_code"');
    expect(foreign.status).toBe(303);
    expect((await poll(world.url, device)).json()['error']).toBe('authorization_pending');
  });

  it('tells a browser that cannot sign in why, and where it can', async () => {
    const device = await askForQrCode(world.url);
    const visitor = new Visitor(world, userAgents.phone);
    const page = (await visitor.type(device.typedCode)).text;
    const link = /class="button yes" href="([^"]+)"/.exec(page)?.[1] ?? '';

    const reply = await visitor.browser.visit(`${world.url}${link}`, { headers: english });

    expect([reply.status, /role="alert">[^<]*WeChat/.test(reply.text)]).toEqual([200, true]);
    expect(reply.text).toContain(`>${device.typedCode}<`);
  });

  it('leaves a device to the phone that has scanned its QR code', async () => {
    const lan = world.wechat.person({ nickname: '扫码' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);

    const reply = await new Visitor(world).type(device.typedCode);
    await decideOnPhone(world, lan, 'confirm');

    expect(reply.text).toContain('<h1>Scanned</h1>');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('keeps no code that could be read from the database', async () => {
    const { typedCode } = await askForQrCode(world.url);
    const rows = JSON.stringify(await rowsOf(world.dataSource, 'SELECT * FROM iam.logins'));

    expect(rows).not.toContain(typedCode);
    expect(rows).not.toContain(typedCode.replace('-', ''));
  });

  it('hands a person over who is to be connected to an account of the host', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const device = await askForQrCode(world.url);
    const visitor = new Visitor(world);
    await visitor.type(device.typedCode);
    await visitor.signIn(world.wechat.person({ nickname: '旧人' }));
    await visitor.decide('confirm');

    expect((await pollUntilSettled(world.url, device)).json()).toMatchObject({ error: 'binding_required' });
    await world.saveProvider({ sign_up: 'auto' });
  });

  it('takes the letters in the chat where the phone is to type the number', async () => {
    await world.saveProvider({ qr_confirmation: 'number' });
    const lan = world.wechat.person({ nickname: '字母' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await lan.say(world.oa, 'BBBB-BBBB');
    const wrong = lan.chat(world.oa).at(-1)?.text;
    await lan.say(world.oa, device.typedCode.toLowerCase());

    expect(wrong).toContain('数字不正确');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
    await world.saveProvider({ qr_confirmation: 'tap' });
  });

  it('is answered by any replica', async () => {
    const replica = await startReplica(world, { options: { publicUrl: world.url, rateLimits: 'off' } });
    const device = await askForQrCode(world.url);
    const visitor = new Visitor(world, userAgents.pc, replica.url);
    await visitor.type(device.typedCode);
    await visitor.signIn(world.wechat.person({ nickname: '副本' }));
    const done = await visitor.decide('confirm');
    const reply = await pollUntilSettled(world.url, device);
    await replica.close();

    expect(done.text).toContain('<h1>Done</h1>');
    expect(reply.status).toBe(200);
  });
});

describe('guessing the code of a device', () => {
  it('is limited like other failures, and told on the page', async () => {
    const world = await startFollowWorld({}, { options: { rateLimits: { failuresPerAddressAndMinute: 3 } } });
    const visitor = new Visitor(world);
    const statuses: number[] = [];
    for (let tries = 0; tries < 4; tries += 1) statuses.push((await visitor.type('BBBB-BBBB')).status);
    const { typedCode } = await askForQrCode(world.url);

    const right = await visitor.type(typedCode);

    expect(statuses).toEqual([200, 200, 200, 429]);
    expect([right.status, right.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^\d+$/)]);
    expect(right.text).toContain('name="user_code"');
    await world.close();
  });
});
