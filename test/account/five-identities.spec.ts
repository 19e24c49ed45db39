import { randomBytes } from 'node:crypto';
import type { Fault, Person } from '../../emulator/index.js';
import { addApps, type Apps, callMe, inApp, itemsOf } from '../support/account.js';
import { askForQrCode, decideOnPhone, pollUntilSettled, scanAndFollow } from '../support/follow.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { onFastify } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { getWith, signInOnPc, type Tokens, toTokens } from '../support/sign-in.js';
import { inWechat, onPc, revoke } from '../support/signed-in.js';

describe('one person on every surface of WeChat', () => {
  let world: World;
  /** The same host at a second row, whose own Official Account is followed to sign in. */
  let club: World;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld({ provider: { union_scope: 'tea' } });
    apps = await addApps(world);
    const oa = world.account.officialAccount({ oauthDomain: 'localhost' });
    club = { ...world, oa };
    const token = randomBytes(12).toString('hex');
    const encodingAesKey = randomBytes(32).toString('hex').slice(0, 43);
    await world.saveProvider({
      slug: 'club',
      name: 'Club',
      union_scope: 'tea',
      mp_app_id: oa.appid,
      mp_app_secret: oa.secret,
      mp_token: token,
      mp_encoding_aes_key: encodingAesKey,
      qr_enabled: true,
    });
    oa.configureServer({ url: `${world.url}/iam/webhook/club`, token, encodingAesKey, mode: 'safe' });
  });
  afterAll(() => world.close());

  it('ends as one user with five identities, gives up four and is refused the fifth', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url, undefined, 'club');
    await scanAndFollow(club, lan, device.qr);
    await decideOnPhone(club, lan, 'confirm');
    const follower = toTokens(await pollUntilSettled(world.url, device));
    const onPc = await signInOnPc(world, lan);
    const inside = await inWechat(world, lan);
    const inMini = await inApp(world, lan, apps, 'mini');
    const inMobile = await inApp(world, lan, apps, 'mobile');
    const everywhere: Tokens[] = [follower, onPc, inside, inMini, inMobile];

    const ids = await Promise.all(
      everywhere.map(
        async ({ accessToken }) => (await getWith(`${world.url}/iam/me`, accessToken)).json()['id'],
      ),
    );
    const identities = itemsOf(await callMe(world, onPc, '/identities'));
    const sessions = itemsOf(await callMe(world, onPc, '/sessions'));

    expect(new Set(ids).size).toBe(1);
    expect(identities.map(({ kind, provider, appid }) => ({ kind, provider, appid }))).toEqual([
      { kind: 'mp', provider: 'club', appid: club.oa.appid },
      { kind: 'open', provider: 'wechat', appid: world.site.appid },
      { kind: 'mp', provider: 'wechat', appid: world.oa.appid },
      { kind: 'mini', provider: 'wechat', appid: apps.mini.appid },
      { kind: 'mobile', provider: 'wechat', appid: apps.mobile.appid },
    ]);
    expect(sessions.map(({ method }) => method).toSorted()).toEqual([
      'follow',
      'mini',
      'mobile',
      'mp',
      'open',
    ]);

    const others = identities.filter(({ kind }) => kind !== 'open');
    const replies = [];
    for (const { id } of others)
      replies.push(await callMe(world, onPc, `/identities/${String(id)}`, { method: 'DELETE' }));
    const [last] = itemsOf(await callMe(world, onPc, '/identities'));
    const refused = await callMe(world, onPc, `/identities/${String(last?.['id'])}`, { method: 'DELETE' });

    expect(replies.map((reply) => [reply.status, reply.json()['rejoins']])).toEqual(
      others.map(() => [200, true]),
    );
    expect([refused.status, refused.json()['code']]).toEqual([409, 'last_identity']);
    expect(itemsOf(await callMe(world, onPc, '/identities'))).toEqual([last]);
    expect(itemsOf(await callMe(world, onPc, '/sessions')).map(({ method }) => method)).toEqual(['open']);
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users')).toBe(1);
  });
});

describe('the account of a signed-in user, on Fastify', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ create: onFastify });
  });
  afterAll(() => world.close());

  it('takes bodies, queries, paths and nothing at all', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await inWechat(world, lan);
    const user = await onPc(world, lan);
    const mp = itemsOf(await callMe(world, user, '/identities')).find(({ kind }) => kind === 'mp');

    const unlinked = await callMe(world, user, `/identities/${String(mp?.['id'])}?end_other_sessions=true`, {
      method: 'DELETE',
    });
    const refused = await callMe(world, user, '/identities', {
      method: 'POST',
      body: { binding_token: 'x' },
    });
    const wished = await new PcBrowser().visit(`${world.url}/iam/me/deletion`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.accessToken}`, accept: 'application/json' },
    });
    const kept = await callMe(world, user, '/deletion', { method: 'DELETE' });
    const file = await callMe(world, user, '/export');

    expect([unlinked.status, refused.status, wished.status, kept.status, file.status]).toEqual([
      200, 400, 200, 204, 200,
    ]);
    expect(file.headers.get('content-disposition')).toContain('attachment');
  });
});

const path = '/wxa/business/getuserphonenumber';
const nowInSeconds = () => Math.floor(Date.now() / 1000);
/** Faults: an errcode, or an answer about a number with parts of it changed. */
const saying = (errcode: number) => (): Fault => ({ errcode });
const answering =
  (changes: object, watermark: object = {}) =>
  (appid: string): Fault => ({
    patch: {
      phone_info: {
        phoneNumber: '13800138000',
        purePhoneNumber: '13800138000',
        countryCode: '86',
        ...changes,
        watermark: { appid, timestamp: nowInSeconds(), ...watermark },
      },
    },
  });

describe('the phone number of a signed-in user', () => {
  let world: World;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld();
    apps = await addApps(world);
  });
  afterAll(() => world.close());
  beforeEach(() => world.wechat.clearCalls());
  afterEach(() => world.wechat.clearFaults());

  function owner(nickname: string, phoneNumber: string): Person {
    const person = world.wechat.person({ nickname });
    person.changeProfile({ phoneNumber });
    return person;
  }
  const post = (user: Tokens, code: string, provider = 'wechat') =>
    callMe(world, user, '/phone_number', { method: 'POST', body: { provider, code } });
  const phoneOf = async (user: Tokens) => {
    const { phone_number, phone_verified_at } = (await callMe(world, user, '')).json();
    return [phone_number, phone_verified_at];
  };

  it('comes from WeChat by the code of the mini program’s button, and shows in /me', async () => {
    const lan = owner('小兰', '13800138000');
    const user = await inApp(world, lan, apps, 'mini');

    const reply = await post(user, lan.phoneNumberCode(apps.mini));

    expect([reply.status, reply.json()]).toEqual([
      200,
      { phone_number: '+8613800138000', phone_verified_at: expect.any(String) as string },
    ]);
    expect(await phoneOf(user)).toEqual(['+8613800138000', reply.json()['phone_verified_at']]);
    const [call] = world.wechat.calls(path);
    expect(world.wechat.calls(path)).toHaveLength(1);
    expect(JSON.stringify(call)).toContain(lan.openid(apps.mini));
  });

  it('is in the audit log as verified and as removed, masked', async () => {
    const lan = owner('甲', '13900139000');
    const user = await inApp(world, lan, apps, 'mini');
    await post(user, lan.phoneNumberCode(apps.mini));

    const removed = await callMe(world, user, '/phone_number', { method: 'DELETE' });
    const again = await callMe(world, user, '/phone_number', { method: 'DELETE' });

    expect([removed.status, again.status]).toEqual([204, 204]);
    expect(await phoneOf(user)).toEqual([null, null]);
    const entries = await rowsOf(
      world.dataSource,
      `SELECT action, provider, detail::text FROM iam.audit_log WHERE action LIKE 'user.phone_%' ORDER BY id DESC LIMIT 2`,
    );
    expect(entries.map(({ action }) => action)).toEqual(['user.phone_removed', 'user.phone_verified']);
    expect(JSON.stringify(entries)).toContain('+86*******9000');
    expect(JSON.stringify(entries)).not.toContain('139');
  });

  it('joins nobody: two people may have the same one', async () => {
    const [one, other] = [owner('乙', '13700137000'), owner('丙', '13700137000')] as const;
    const first = await inApp(world, one, apps, 'mini');
    const second = await inApp(world, other, apps, 'mini');

    await post(first, one.phoneNumberCode(apps.mini));
    await post(second, other.phoneNumberCode(apps.mini));

    expect((await phoneOf(first))[0]).toBe((await phoneOf(second))[0]);
    expect((await callMe(world, first, '')).json()['id']).not.toBe(
      (await callMe(world, second, '')).json()['id'],
    );
  });

  it('is not taken from somebody else’s code', async () => {
    const victim = owner('丁', '13600136000');
    const attacker = await inApp(world, owner('戊', '13500135000'), apps, 'mini');

    const reply = await post(attacker, victim.phoneNumberCode(apps.mini));

    expect([reply.status, reply.json()['code']]).toEqual([400, 'phone_code_invalid']);
    expect(await phoneOf(attacker)).toEqual([null, null]);
  });

  it('is not for a session of another app, and WeChat is not asked', async () => {
    const lan = owner('己', '13400134000');
    const pc = await onPc(world, lan);

    const reply = await post(pc, lan.phoneNumberCode(apps.mini));

    expect([reply.status, reply.json()['code']]).toEqual([403, 'insufficient_permissions']);
    expect(world.wechat.calls(path)).toHaveLength(0);
  });

  it('is not for a token whose session is over', async () => {
    const lan = owner('庚', '13300133000');
    const user = await inApp(world, lan, apps, 'mini');
    await revoke(world.url, user.refreshToken);

    const replies = [
      await post(user, lan.phoneNumberCode(apps.mini)),
      await callMe(world, user, '/phone_number', { method: 'DELETE' }),
    ];

    expect(replies.map((reply) => reply.json()['code'])).toEqual(['invalid_token', 'invalid_token']);
    expect(world.wechat.calls(path)).toHaveLength(0);
  });

  it('is asked for once more with a new token when WeChat finds the first invalid', async () => {
    const lan = owner('辛', '13200132000');
    const user = await inApp(world, lan, apps, 'mini');
    world.wechat.once(path, { errcode: 40001 });

    const reply = await post(user, lan.phoneNumberCode(apps.mini));

    expect(reply.status).toBe(200);
    expect(world.wechat.calls(path)).toHaveLength(2);
  });

  it.each([
    ['a code used before', saying(40163), 400, 'phone_code_invalid'],
    ['a code of wx.login', saying(40029), 400, 'phone_code_invalid'],
    ['a code of another person', saying(40003), 400, 'phone_code_invalid'],
    ['a code of another mini program', saying(40013), 400, 'phone_code_invalid'],
    ['too many calls in a minute', saying(45011), 503, 'wechat_quota_exceeded'],
    ['no numbers left of those paid for', saying(1400001), 503, 'wechat_quota_exceeded'],
    [
      'the number of another mini program',
      answering({}, { appid: 'wx-another' }),
      502,
      'wechat_answer_invalid',
    ],
    ['an old answer', answering({}, { timestamp: nowInSeconds() - 700 }), 502, 'wechat_answer_invalid'],
    ['a number too short', answering({ purePhoneNumber: '13800' }), 502, 'wechat_answer_invalid'],
    ['no country’s code', answering({ countryCode: '999' }), 502, 'wechat_answer_invalid'],
    ['an answer without a number', () => ({ remove: ['phone_info'] }), 502, 'wechat_answer_invalid'],
  ])('is not stored with %s', async (_case, fault, status, code) => {
    const lan = owner('壬', '13100131000');
    const user = await inApp(world, lan, apps, 'mini');
    world.wechat.once(path, fault(apps.mini.appid));

    const reply = await post(user, lan.phoneNumberCode(apps.mini));

    expect([reply.status, reply.json()['code']]).toEqual([status, code]);
    expect(await phoneOf(user)).toEqual([null, null]);
  });

  it('may be foreign, and its country code a number', async () => {
    const lan = owner('癸', '13000130000');
    const user = await inApp(world, lan, apps, 'mini');
    lan.changeProfile({ phoneNumber: '91234567', countryCode: '852' });
    world.wechat.rules.phoneCountryCode = 'number';

    expect((await post(user, lan.phoneNumberCode(apps.mini))).json()['phone_number']).toBe('+85291234567');
  });

  it('is without the zero that people of its country dial first', async () => {
    const lan = owner('寅', '07911123456');
    lan.changeProfile({ countryCode: '44' });
    const user = await inApp(world, lan, apps, 'mini');

    expect((await post(user, lan.phoneNumberCode(apps.mini))).json()['phone_number']).toBe('+447911123456');
  });

  it('needs a mini program in the row', async () => {
    await world.saveProvider({ slug: 'bare', name: 'Bare' });
    const user = await inApp(world, owner('子', '13000130001'), apps, 'mini');

    expect((await post(user, 'code', 'bare')).json()['code']).toBe('wechat_mini_not_configured');
    expect((await post(user, '')).json()['code']).toBe('invalid_request');
  });

  it('goes to the user who stays when two turn out to be one', async () => {
    const lan = owner('丑', '13000130002');
    world.account.unbind(world.oa);
    const older = await inWechat(world, lan);
    world.account.bind(world.oa);
    const younger = await inApp(world, lan, apps, 'mini');
    await post(younger, lan.phoneNumberCode(apps.mini));

    const after = await inWechat(world, lan);

    expect(after.id).toBe(older.id);
    expect(after.me['phone_number']).toBe('+8613000130002');
  });
});
