import { z } from 'zod';
import { Secret } from '../../src/crypto/secret.js';
import { BaseTokens } from '../../src/wechat/base-token.js';
import type { WechatApp } from '../../src/wechat/wechat-call.js';
import { WechatHttp } from '../../src/wechat/wechat-http.js';
import { drop, json, WechatStub } from './wechat-stub.js';

const tokenPath = '/cgi-bin/stable_token';
const userPath = '/cgi-bin/user/info';
const app: WechatApp = { kind: 'mp', appid: 'wx1', secret: new Secret('planted-secret') };
const user = z.object({ subscribe: z.number() });
const invalid = { errcode: 40001, errmsg: 'invalid credential, access_token is invalid or not latest' };

let stub: WechatStub;
let http: WechatHttp;
let now: number;
let tokens: BaseTokens;

beforeEach(async () => {
  now = 1_000_000;
  stub = await WechatStub.start();
  http = new WechatHttp({ endpoints: stub.endpoints, allowLoopback: true, timeoutMs: 2000 });
  tokens = new BaseTokens(http, () => now);
  stub.on(
    tokenPath,
    json({ access_token: 'T1', expires_in: 7200 }),
    json({ access_token: 'T2', expires_in: 7200 }),
  );
  stub.on(userPath, json({ subscribe: 1 }));
});

afterEach(async () => {
  await stub.stop();
  await http.close();
});

describe('the app’s access token', () => {
  it('is asked for as a stable token, without force', async () => {
    const token = await tokens.get(app);

    expect(token.reveal()).toBe('T1');
    expect(JSON.parse(stub.calls[0]?.body ?? '')).toEqual({
      grant_type: 'client_credential',
      appid: 'wx1',
      secret: 'planted-secret',
      force_refresh: false,
    });
  });

  it('is not given to the same AppID with another AppSecret', async () => {
    await tokens.get(app);

    const other = await tokens.get({ ...app, secret: new Secret('another-secret') });

    expect(other.reveal()).toBe('T2');
    expect(stub.calls.map(({ path }) => path)).toEqual([tokenPath, tokenPath]);
  });

  it('is fetched once for twenty who wait', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => tokens.get(app)));

    expect(new Set(all.map((token) => token.reveal()))).toEqual(new Set(['T1']));
    expect(stub.callsTo(tokenPath)).toBe(1);
  });

  it('is kept until five minutes before its end', async () => {
    await tokens.get(app);

    now += 6900 * 1000 - 1;
    expect((await tokens.get(app)).reveal()).toBe('T1');
    now += 1;
    expect((await tokens.get(app)).reveal()).toBe('T2');
  });

  it('is each app’s own', async () => {
    const other = { ...app, appid: 'wx2' };

    expect((await tokens.get(app)).reveal()).toBe('T1');
    expect((await tokens.get(other)).reveal()).toBe('T2');
  });

  it('is asked for again after a failure', async () => {
    stub.on(
      tokenPath,
      json({ errcode: 40164, errmsg: 'invalid ip 1.2.3.4, not in whitelist' }),
      json({ access_token: 'T3', expires_in: 7200 }),
    );

    await expect(tokens.get(app)).rejects.toMatchObject({ code: 'wechat_ip_not_allowed' });
    expect((await tokens.get(app)).reveal()).toBe('T3');
  });

  it('survives one dropped connection', async () => {
    stub.on(tokenPath, drop, json({ access_token: 'T1', expires_in: 7200 }));

    expect((await tokens.get(app)).reveal()).toBe('T1');
  });

  it('is not taken from an answer without one', async () => {
    stub.on(tokenPath, json({ expires_in: 7200 }));

    await expect(tokens.get(app)).rejects.toMatchObject({ code: 'wechat_answer_invalid' });
  });
});

describe('a call with the app’s access token', () => {
  const call = { path: userPath, query: { openid: 'o1' } };

  it('carries the token', async () => {
    await expect(tokens.call(app, call, user)).resolves.toEqual({ subscribe: 1 });
    expect(stub.calls[1]?.query.toString()).toBe('openid=o1&access_token=T1');
  });

  it.each([40001, 40014, 42001])('is made once more with a new token after %d', async (errcode) => {
    stub.on(userPath, json({ ...invalid, errcode }), json({ subscribe: 1 }));

    await expect(tokens.call(app, call, user)).resolves.toEqual({ subscribe: 1 });
    expect(stub.callsTo(tokenPath)).toBe(2);
    expect(stub.calls.at(-1)?.query.get('access_token')).toBe('T2');
  });

  it('is given up when the new token is refused too', async () => {
    stub.on(userPath, json(invalid));

    await expect(tokens.call(app, call, user)).rejects.toMatchObject({ code: 'wechat_credentials_rejected' });
    expect(stub.callsTo(userPath)).toBe(2);
  });

  it('fetches one new token for many refusals at once', async () => {
    await tokens.get(app);
    stub.on(userPath, (response, request) => {
      json(request.url?.includes('T1') === true ? invalid : { subscribe: 1 })(response, request);
    });

    await Promise.all(Array.from({ length: 20 }, () => tokens.call(app, call, user)));

    expect(stub.callsTo(tokenPath)).toBe(2);
  });

  it('is not repeated for any other refusal', async () => {
    stub.on(userPath, json({ errcode: 48001, errmsg: 'api unauthorized' }));

    await expect(tokens.call(app, call, user)).rejects.toMatchObject({ code: 'wechat_permission_missing' });
    expect(stub.callsTo(tokenPath)).toBe(1);
  });
});
