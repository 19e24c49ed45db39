import { Injectable, Module } from '@nestjs/common';
import { IdentityProviders, OnWechatEvent, type WechatEvent } from '../../src/index.js';
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
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, toTokens } from '../support/sign-in.js';
import { newOpenid, post, textFields } from '../support/webhook.js';
import { decrypt, newAccount, safePush, toXml } from '../support/wechat-push.js';

describe('a number as people type it', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'number' }, { options: { rateLimits: 'off' } });
  });
  afterAll(() => world.close());

  async function scanned(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    const said = () => person.chat(world.oa).at(-1)?.text ?? '';
    const row = async () =>
      (
        await rowsOf(world.dataSource, 'SELECT status, number_tries FROM iam.logins WHERE openid = $1', [
          person.openid(world.oa),
        ])
      )[0];
    return { person, device, said, row };
  }
  const fullWidth = (digits: string) =>
    digits.replaceAll(/\d/g, (digit) => String.fromCodePoint((digit.codePointAt(0) ?? 0) + 0xfee0));

  it.each<[string, (digits: string) => string]>([
    ['in full width', fullWidth],
    ['with spaces between', (digits) => Array.from(digits).join(' ')],
    ['with wide spaces and a line break', (digits) => `\u3000${digits}\n`],
    ['with a full stop behind', (digits) => `${digits}。`],
    ['in brackets', (digits) => `【${digits}】`],
    ['with hyphens', (digits) => Array.from(digits).join('-')],
    [
      'as keycaps',
      (digits) =>
        Array.from(digits)
          .map((digit) => `${digit}\ufe0f\u20e3`)
          .join(''),
    ],
  ])('confirms in the chat %s', async (_how, write) => {
    const { person, device, said } = await scanned('小兰');

    await person.say(world.oa, write(device.userCode));

    expect(said()).toContain('Confirmed');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('confirms on the page in full width with spaces', async () => {
    const { person, device } = await scanned('小明');

    await decideOnPhone(world, person, 'confirm', {
      number: Array.from(fullWidth(device.userCode)).join('　'),
    });

    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('gets an answer with a digit too few or too many, and costs no try', async () => {
    const { person, device, said, row } = await scanned('小华');

    const answers = [];
    for (const text of [device.userCode.slice(1), `${device.userCode}1`]) {
      await person.say(world.oa, text);
      answers.push(said());
    }

    expect(answers).toEqual(Array(2).fill(expect.stringContaining('Try again')));
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
  });

  it('is for the host with other words around it, or as long as a telephone number', async () => {
    const { person, device, row } = await scanned('小李');
    const before = person.chat(world.oa).length;

    await person.say(world.oa, `订单 ${device.userCode}`);
    await person.say(world.oa, '13800138000');

    expect(
      person
        .chat(world.oa)
        .slice(before)
        .some(({ text }) => text.includes('Try again')),
    ).toBe(false);
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
  });

  it('is told that the login has ended when it comes too late', async () => {
    const { person, device, said, row } = await scanned('小赵');
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE openid = $1`,
      [person.openid(world.oa)],
    );

    await person.say(world.oa, device.userCode);

    expect(said()).toContain('no longer valid');
    expect(await row()).toEqual({ status: 'scanned', number_tries: 0 });
    expect(await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.users`)).toBeGreaterThan(0);
  });
});

describe('one Official Account in several rows', () => {
  let world: World;

  /** The account pushes to the row `wechat`, which confirms by `tap`; the others have no mp_token of their own. */
  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap', union_scope: 'tea' });
    const { site, oa } = world;
    const providers = world.app.get(IdentityProviders);
    const row = {
      open_app_id: site.appid,
      open_app_secret: site.secret,
      mp_app_id: oa.appid,
      mp_app_secret: oa.secret,
      union_scope: 'tea',
      qr_enabled: true,
    };
    await providers.save({ ...row, slug: 'number', name: 'Number', qr_confirmation: 'number' });
    await providers.save({ ...row, slug: 'none', name: 'None', qr_confirmation: 'none' });
    await providers.save({ ...row, slug: 'tap', name: 'Tap', qr_confirmation: 'tap' });
  });
  afterAll(() => world.close());

  const askAt = (provider: string) => askForQrCode(world.url, undefined, provider);

  it('signs in at the row that showed the QR code, whichever row receives the push', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askAt('tap');

    await scanAndFollow(world, lan, device.qr);
    const link = confirmLink(world, lan);
    await decideOnPhone(world, lan, 'confirm');
    const tokens = toTokens(await pollUntilSettled(world.url, device));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);
    const audit = await rowsOf(
      world.dataSource,
      `SELECT DISTINCT provider FROM iam.audit_log WHERE action LIKE 'login.%' AND detail->>'openid' = $1`,
      [lan.openid(world.oa)],
    );

    expect(link).toContain('/iam/confirm/tap?');
    expect(me.json()).toMatchObject({ identities: [{ kind: 'mp', appid: world.oa.appid }] });
    expect(audit).toEqual([{ provider: 'tap' }]);
  });

  it('confirms as the row of the QR code says, not as the row of the webhook', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const byNumber = await askAt('number');
    const withoutAny = await askAt('none');

    await scanAndFollow(world, ming, byNumber.qr);
    const waiting = await poll(world.url, byNumber);
    await ming.say(world.oa, byNumber.userCode);
    const numbered = await pollUntilSettled(world.url, byNumber);
    await scanAndFollow(world, ming, withoutAny.qr);
    const unasked = await pollUntilSettled(world.url, withoutAny);

    expect(waiting.json()['error']).toBe('authorization_pending');
    expect([numbered.status, unasked.status]).toEqual([200, 200]);
  });

  it('is the same person at every row', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const users = new Set<unknown>();

    for (const provider of ['wechat', 'tap', 'none']) {
      const device = await askAt(provider);
      await scanAndFollow(world, hua, device.qr);
      if (provider !== 'none') await decideOnPhone(world, hua, 'confirm');
      const tokens = toTokens(await pollUntilSettled(world.url, device));
      users.add((await getWith(`${world.url}/iam/me`, tokens.accessToken)).json()['id']);
    }

    expect(users.size).toBe(1);
  });

  it('does not take a scan of another Official Account', async () => {
    const other = world.account.officialAccount({ oauthDomain: 'localhost' });
    const token = 'other0token';
    const encodingAesKey = 'z'.repeat(43);
    await world.app.get(IdentityProviders).save({
      slug: 'other',
      name: 'Other',
      mp_app_id: other.appid,
      mp_app_secret: other.secret,
      qr_enabled: true,
      mp_token: token,
      mp_encoding_aes_key: encodingAesKey,
    });
    other.configureServer({ url: `${world.url}/iam/webhook/other`, token, encodingAesKey, mode: 'safe' });
    const device = await askAt('none');
    const wei = world.wechat.person({ nickname: '阿伟' });

    const scene = newestScene();
    const pushed = await other.push({
      FromUserName: wei.openid(other),
      MsgType: 'event',
      Event: 'SCAN',
      EventKey: scene,
    });
    const reply = await poll(world.url, device);

    expect(scene).toMatch(/^iam:/);
    expect(pushed.map(({ status }) => status)).toEqual([200]);
    expect(reply.json()['error']).toBe('authorization_pending');
  });

  /** What the newest QR code carries, as the platform was asked. */
  function newestScene(): string {
    const { body = '' } = world.wechat.calls('/cgi-bin/qrcode/create').at(-1) ?? {};
    return /"scene_str":"([^"]+)"/.exec(body)?.[1] ?? '';
  }
});

describe('two environments at one Official Account', () => {
  let world: World;
  let heard: string[];

  beforeAll(async () => {
    heard = [];
    @Injectable()
    class Listener {
      @OnWechatEvent('SCAN')
      @OnWechatEvent('subscribe')
      hear({ EventKey }: WechatEvent): void {
        heard.push(String(EventKey));
      }
    }
    @Module({ providers: [Listener] })
    class ListenerModule {}
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { imports: [ListenerModule] });
  });
  afterAll(() => world.close());

  const pushScan = async (EventKey: string) => {
    const wei = world.wechat.person({ nickname: '阿伟' });
    await world.oa.push({ FromUserName: wei.openid(world.oa), MsgType: 'event', Event: 'SCAN', EventKey });
  };
  const sceneOfNewCode = async () => {
    const { qr } = await askForQrCode(world.url);
    const { body = '' } = world.wechat.calls('/cgi-bin/qrcode/create').at(-1) ?? {};
    return { qr, own: /"scene_str":"([^"]+)"/.exec(body)?.[1] ?? '' };
  };

  it('leave the scans of the other one to the host’s handlers', async () => {
    const { own, qr } = await sceneOfNewCode();
    const swapped = `${own.slice(0, -1)}${own.endsWith('a') ? 'b' : 'a'}`;
    const scenes = [`iam:${'x'.repeat(43)}`, swapped, 'iam:', 'shop-1'];

    for (const scene of scenes) await pushScan(scene);
    const told = heard.filter((key) => scenes.includes(key));
    const lan = world.wechat.person({ nickname: '小兰' });
    await scanAndFollow(world, lan, qr);

    expect(told).toEqual(scenes);
    expect(heard.filter((key) => key.endsWith(own))).toEqual([]);
    expect(confirmLink(world, lan)).toContain('/iam/confirm/wechat');
  });
});

it('the scenes of QR codes begin as the option says, and stay under the 64 characters of WeChat', async () => {
  const world = await startFollowWorld(
    { qr_confirmation: 'none' },
    { options: { scenePrefix: 'staging.sign-in:' } },
  );
  const lan = world.wechat.person({ nickname: '小兰' });
  const device = await askForQrCode(world.url);
  const { body = '' } = world.wechat.calls('/cgi-bin/qrcode/create').at(-1) ?? {};

  await scanAndFollow(world, lan, device.qr);
  const reply = await pollUntilSettled(world.url, device);
  await world.close();

  expect(/"scene_str":"([^"]+)"/.exec(body)?.[1]).toMatch(/^staging\.sign-in:[A-Za-z0-9]{43}$/);
  expect(reply.status).toBe(200);
});

describe('one Official Account in three rows that know its Token', () => {
  let world: World;
  let heard: string[];
  const slugs = ['wechat', 'second', 'third'];
  const server = newAccount();

  beforeAll(async () => {
    heard = [];
    @Injectable()
    class Listener {
      @OnWechatEvent('text')
      hear({ Content }: WechatEvent): void {
        heard.push(String(Content));
      }
    }
    @Module({ providers: [Listener] })
    class ListenerModule {}
    const { token: mp_token, encodingAesKey: mp_encoding_aes_key } = server;
    const row = { qr_confirmation: 'number', mp_token, mp_encoding_aes_key } as const;
    world = await startFollowWorld(row, { imports: [ListenerModule] });
    world.oa.configureServer({ url: `${world.url}/iam/webhook/wechat`, ...server, mode: 'safe' });
    const mp = { mp_app_id: world.oa.appid, mp_app_secret: world.oa.secret };
    for (const slug of slugs.slice(1))
      await world.app.get(IdentityProviders).save({ slug, name: slug, qr_enabled: true, ...mp, ...row });
  });
  afterAll(() => world.close());

  /** One push of WeChat's, recorded, at every row. */
  const sendToAll = (content: string, openid: string) => {
    const push = safePush(toXml(textFields(content, openid)), { ...server, appid: world.oa.appid });
    return slugs.map((slug) => () => post(`${world.url}/iam/webhook/${slug}`, push));
  };
  const triesOf = (openid: string) =>
    rowsOf(world.dataSource, 'SELECT status, number_tries FROM iam.logins WHERE openid = $1', [openid]);
  async function scanned(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    const wrong = device.userCode === '0000' ? '0001' : '0000';
    return { device, openid: person.openid(world.oa), wrong };
  }

  it('counts a wrong number once, at whatever rows it is posted again', async () => {
    const { device, openid, wrong } = await scanned('小兰');

    const answers = [];
    for (const send of sendToAll(wrong, openid)) answers.push(await send());
    const tries = await triesOf(openid);
    await sendToAll(device.userCode, openid)[0]?.();

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(tries).toEqual([{ status: 'scanned', number_tries: 1 }]);
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('counts it once when the rows get it at once, and says the same to each', async () => {
    const { openid, wrong } = await scanned('小明');
    await sendToAll(wrong, openid)[0]?.();

    const answers = await Promise.all(sendToAll(wrong, openid).map((send) => send()));

    const said = answers.map(({ text }) => replyOf(text));
    expect(new Set(said)).toEqual(new Set([expect.stringContaining('Try again')]));
    expect(await triesOf(openid)).toEqual([{ status: 'scanned', number_tries: 2 }]);
  });

  it('confirms no other login of the same person when it is delivered again', async () => {
    const person = world.wechat.person({ nickname: '两台' });
    const [device, other] = [await askForQrCode(world.url), await askForQrCode(world.url)];
    for (const { qr } of [device, other]) await scanAndFollow(world, person, qr);

    for (const send of sendToAll(device.userCode, person.openid(world.oa))) await send();

    expect((await poll(world.url, other)).json()['error']).toBe('authorization_pending');
    expect((await pollUntilSettled(world.url, device)).status).toBe(200);
  });

  it('tells the host’s handlers once', async () => {
    for (const send of sendToAll('hello', newOpenid())) await send();

    expect(heard).toEqual(['hello']);
  });

  const replyOf = (xml: string) =>
    decrypt(/<Encrypt><!\[CDATA\[(.+?)\]\]>/.exec(xml)?.[1] ?? '', server.encodingAesKey).message.replaceAll(
      /<CreateTime>\d+</g,
      '<CreateTime><',
    );
});
