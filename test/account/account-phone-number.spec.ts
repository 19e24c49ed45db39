import type { Person } from '../../emulator/index.js';
import { addApps, callMe, inApp, type Apps } from '../support/account.js';
import { startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { inWechat, onPc, revoke } from '../support/signed-in.js';
import type { Tokens } from '../support/sign-in.js';

const path = '/wxa/business/getuserphonenumber';

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

  it('is in the audit log as verified and as removed, without the number', async () => {
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
    ['a code used before', { errcode: 40163 }, 400, 'phone_code_invalid'],
    ['a code of wx.login', { errcode: 40029 }, 400, 'phone_code_invalid'],
    ['no numbers left of those paid for', { errcode: 1400001 }, 503, 'wechat_quota_exceeded'],
    [
      'the number of another mini program',
      {
        patch: {
          phone_info: {
            phoneNumber: '13800138000',
            purePhoneNumber: '13800138000',
            countryCode: '86',
            watermark: { timestamp: 1, appid: 'wx-another' },
          },
        },
      },
      502,
      'wechat_answer_invalid',
    ],
    ['an answer without a number', { remove: ['phone_info'] }, 502, 'wechat_answer_invalid'],
  ])('is not stored with %s', async (_case, fault, status, code) => {
    const lan = owner('壬', '13100131000');
    const user = await inApp(world, lan, apps, 'mini');
    world.wechat.once(path, fault);

    const reply = await post(user, lan.phoneNumberCode(apps.mini));

    expect([reply.status, reply.json()['code']]).toEqual([status, code]);
    expect(await phoneOf(user)).toEqual([null, null]);
  });

  it('may be foreign, and its country code a number', async () => {
    const lan = owner('癸', '13000130000');
    const user = await inApp(world, lan, apps, 'mini');
    const phone_info = {
      phoneNumber: '+85291234567',
      purePhoneNumber: '91234567',
      countryCode: 852,
      watermark: { timestamp: 1, appid: apps.mini.appid },
    };
    world.wechat.once(path, { patch: { phone_info } });

    expect((await post(user, lan.phoneNumberCode(apps.mini))).json()['phone_number']).toBe('+85291234567');
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
