import { inspect } from 'node:util';
import { Secret } from '../../src/crypto/secret.js';
import { WechatSns } from '../../src/wechat/sns.js';
import type { WechatApp } from '../../src/wechat/wechat-call.js';
import { WechatHttp } from '../../src/wechat/wechat-http.js';
import { drop, hang, json, WechatStub } from './wechat-stub.js';

const exchangePath = '/sns/oauth2/access_token';
const userinfoPath = '/sns/userinfo';
const sessionPath = '/sns/jscode2session';
const app: WechatApp = { kind: 'mp', appid: 'wx0123456789abcdef', secret: new Secret('planted-secret') };
const openid = 'oABCDEFGHIJKLMNOPQRSTUVWXYZ0';
const unionid = 'uABCDEFGHIJKLMNOPQRSTUVWXYZ0';
const tokenResponse = {
  access_token: '88_access',
  expires_in: 7200,
  refresh_token: '88_refresh',
  openid,
  scope: 'snsapi_userinfo',
};
const grant = { openid, unionid, accessToken: new Secret('88_access') };

let stub: WechatStub;
let http: WechatHttp;
let sns: WechatSns;

beforeEach(async () => {
  stub = await WechatStub.start();
  http = new WechatHttp({ endpoints: stub.endpoints, allowLoopback: true, timeoutMs: 1500 });
  sns = new WechatSns(http);
});

afterEach(async () => {
  await stub.stop();
  await http.close();
});

describe('exchangeCode', () => {
  it('sends the documented query and gives the grant', async () => {
    stub.on(exchangePath, json({ ...tokenResponse, unionid }));

    const given = await sns.exchangeCode(app, 'CODE-1');

    expect([...(stub.calls[0]?.query ?? [])]).toEqual([
      ['appid', app.appid],
      ['secret', 'planted-secret'],
      ['code', 'CODE-1'],
      ['grant_type', 'authorization_code'],
    ]);
    expect({
      ...given,
      accessToken: given.accessToken.reveal(),
      refreshToken: given.refreshToken.reveal(),
    }).toEqual({
      openid,
      unionid,
      accessToken: '88_access',
      refreshToken: '88_refresh',
      expiresIn: 7200,
      scopes: ['snsapi_userinfo'],
      snapshotUser: false,
    });
    expect(inspect(given, { depth: 9, showHidden: true })).not.toContain('88_');
  });

  it('takes an empty unionid for none', async () => {
    stub.on(exchangePath, json({ ...tokenResponse, unionid: '' }));

    expect((await sns.exchangeCode(app, 'CODE-1')).unionid).toBeNull();
  });

  it('accepts errcode 0, a trailing comma and no unionid', async () => {
    stub.on(exchangePath, json({ ...tokenResponse, errcode: 0, scope: 'snsapi_base,snsapi_userinfo,' }));

    await expect(sns.exchangeCode(app, 'CODE-1')).resolves.toMatchObject({
      unionid: null,
      scopes: ['snsapi_base', 'snsapi_userinfo'],
    });
  });

  it.each([1, '1', true, 'true', 2, {}])(
    'takes is_snapshotuser %j for a snapshot',
    async (is_snapshotuser) => {
      stub.on(exchangePath, json({ ...tokenResponse, is_snapshotuser }));

      await expect(sns.exchangeCode(app, 'CODE-1')).resolves.toMatchObject({ snapshotUser: true });
    },
  );

  it.each([0, '0', false, null])(
    'does not take is_snapshotuser %j for a snapshot',
    async (is_snapshotuser) => {
      stub.on(exchangePath, json({ ...tokenResponse, is_snapshotuser }));

      await expect(sns.exchangeCode(app, 'CODE-1')).resolves.toMatchObject({ snapshotUser: false });
    },
  );

  it.each([
    ['openid null', { openid: null }],
    ['openid array', { openid: ['a'] }],
    ['openid number', { openid: 7 }],
    ['openid empty', { openid: '' }],
    ['openid with NUL', { openid: 'a\u0000b' }],
    ['openid with a space', { openid: 'a b' }],
    ['openid not ASCII', { openid: '小兰' }],
    ['openid of 10 kB', { openid: 'o'.repeat(10_240) }],
    ['openid missing', { openid: undefined }],
    ['unionid null', { unionid: null }],
    ['unionid array', { unionid: ['u'] }],
    ['unionid of 65', { unionid: 'u'.repeat(65) }],
    ['access_token missing', { access_token: undefined }],
    ['refresh_token number', { refresh_token: 1 }],
    ['expires_in text', { expires_in: '7200' }],
    ['expires_in negative', { expires_in: -1 }],
    ['scope array', { scope: ['snsapi_userinfo'] }],
    [
      'only errcode "0"',
      { ...Object.fromEntries(Object.keys(tokenResponse).map((key) => [key, undefined])), errcode: '0' },
    ],
    ['errcode "0" beside valid fields', { errcode: '0' }],
    ['errcode 0 and nothing but an openid', { errcode: 0, access_token: undefined }],
  ])('refuses an answer with %s', async (_kind, wrong) => {
    stub.on(exchangePath, json({ ...tokenResponse, ...wrong }));

    await expect(sns.exchangeCode(app, 'CODE-1')).rejects.toMatchObject({ code: 'wechat_answer_invalid' });
  });

  it.each([
    ['busy', json({ errcode: -1, errmsg: 'system error' })],
    ['silence', hang],
    ['a dropped connection', drop],
  ])('is sent once and never again after %s', async (_kind, fault) => {
    stub.on(exchangePath, fault);

    await expect(sns.exchangeCode(app, 'CODE-1')).rejects.toMatchObject({ code: 'wechat_unavailable' });
    expect(stub.callsTo(exchangePath)).toBe(1);
  });

  it.each(['', 'a b', 'a\u0000', '码', 'x'.repeat(513)])(
    'does not send %j, which is no code',
    async (code) => {
      await expect(sns.exchangeCode(app, code)).rejects.toMatchObject({ code: 'wechat_code_invalid' });
      expect(stub.calls).toEqual([]);
    },
  );
});

describe('userinfo', () => {
  const profile = { openid, nickname: '小兰🌏', headimgurl: 'http://thirdwx.qlogo.cn/a/132', unionid };

  it('gives the clean profile', async () => {
    stub.on(userinfoPath, json({ ...profile, sex: 0, privilege: [] }));

    await expect(sns.userinfo(grant, 'en')).resolves.toEqual({
      openid,
      unionid,
      nickname: '小兰🌏',
      avatarUrl: 'https://thirdwx.qlogo.cn/a/132',
    });
    expect(stub.calls[0]?.query.toString()).toBe(`access_token=88_access&openid=${openid}&lang=en`);
  });

  it('brings a unionid that the grant lacked, and keeps the one it had', async () => {
    stub.on(userinfoPath, json(profile), json({ ...profile, unionid: undefined }));

    await expect(sns.userinfo({ ...grant, unionid: null })).resolves.toMatchObject({ unionid });
    await expect(sns.userinfo(grant)).resolves.toMatchObject({ unionid });
  });

  it.each([
    ['another openid', { openid: 'oSomebodyElse' }],
    ['another unionid', { unionid: 'uSomebodyElse' }],
    ['an openid that is no string', { openid: [openid] }],
    ['a unionid that is no string', { unionid: 7 }],
    ['an errcode', { errcode: 40001, errmsg: 'invalid credential' }],
  ])('refuses an answer with %s', async (_kind, wrong) => {
    stub.on(userinfoPath, json({ ...profile, ...wrong }));

    await expect(sns.userinfo(grant)).rejects.toMatchObject({ name: 'WechatError' });
  });

  it.each([
    ['of 1 MB', 'x'.repeat(1_000_000), 'x'.repeat(64)],
    ['of a wrong type', 42, null],
    ['with NUL and reordering', 'a\u0000\u202eb', 'ab'],
    ['missing', undefined, null],
  ])('succeeds with a nickname %s', async (_kind, nickname, expected) => {
    stub.on(userinfoPath, json({ ...profile, nickname }));

    await expect(sns.userinfo(grant)).resolves.toMatchObject({ nickname: expected });
  });

  it('is asked again when WeChat is busy', async () => {
    stub.on(userinfoPath, json({ errcode: -1 }), json(profile));

    await expect(sns.userinfo(grant)).resolves.toMatchObject({ openid });
    expect(stub.callsTo(userinfoPath)).toBe(2);
  });
});

describe('jscode2session', () => {
  it('shows the session key to nobody who prints it', async () => {
    const key = 'tiihtNczf5v6AKRyjwEUhQ==';
    stub.on(sessionPath, json({ openid, session_key: key, unionid, errcode: 0 }));

    const { sessionKey, ...ids } = await sns.jscode2session({ ...app, kind: 'mini' }, 'JSCODE');

    expect(ids).toEqual({ openid, unionid });
    expect(sessionKey.reveal()).toBe(key);
    expect(`${JSON.stringify(sessionKey)} ${inspect(sessionKey)} ${String(sessionKey)}`).not.toContain(key);
    expect(stub.calls[0]?.query.get('js_code')).toBe('JSCODE');
  });

  it('is sent once', async () => {
    stub.on(sessionPath, drop);

    await expect(sns.jscode2session(app, 'JSCODE')).rejects.toMatchObject({ code: 'wechat_unavailable' });
    expect(stub.callsTo(sessionPath)).toBe(1);
  });
});
