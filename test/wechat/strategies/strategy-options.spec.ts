import { inspect } from 'node:util';
import { Secret } from '../../../src/crypto/secret.js';
import { SessionStateStore } from '../../../src/wechat/strategies/state-store.js';
import type { WechatStrategyOptions, WechatVerify } from '../../../src/wechat/strategies/strategy-options.js';
import { WechatMpStrategy, WechatOpenStrategy } from '../../../src/wechat/strategies/wechat.strategies.js';

const good = {
  appid: 'wx0123456789abcdef',
  secret: 'planted-app-secret',
  callbackURL: 'https://app.example.com/callback',
};

const verify: WechatVerify = (_accessToken, _refreshToken, profile, done) => done(null, profile);

const store = { store: () => undefined, verify: () => undefined };

/** Options as a JavaScript user may write them. */
function construct(changes: object): () => unknown {
  return () => Reflect.construct(WechatOpenStrategy, [{ ...good, ...changes }, verify]) as unknown;
}

describe('the options of a strategy', () => {
  it.each<[string, object]>([
    ['appid', { appid: undefined }],
    ['appid', { appid: '' }],
    ['appid', { appid: 'wx 1' }],
    ['appid', { appid: 7 }],
    ['secret', { secret: undefined }],
    ['secret', { secret: '' }],
    ['callbackURL', { callbackURL: undefined }],
    ['callbackURL', { callbackURL: '/callback' }],
    ['callbackURL', { callbackURL: '//app.example.com/callback' }],
    ['callbackURL', { callbackURL: 'https://app.example.com/#/callback' }],
    ['callbackURL', { callbackURL: 'javascript:alert(1)' }],
    ['callbackURL', { callbackURL: 'https://' }],
    ['scope', { scope: 'snsapi_userinfo' }],
    ['store', { store }],
    ['wechat.endpoints.api', { endpoints: { api: 'http://127.0.0.1:1' } }],
    ['wechat.endpoints.open', { endpoints: { open: 'https://10.0.0.1' }, allowLoopback: true }],
  ])('are refused, naming %s, in %j', (name, changes) => {
    expect(construct(changes)).toThrow(TypeError);
    expect(construct(changes)).toThrow(name);
    expect(construct(changes)).not.toThrow(good.secret);
  });

  it('include a verify callback', () => {
    expect(() => Reflect.construct(WechatOpenStrategy, [good]) as unknown).toThrow('verify');
  });

  it('allow the scopes of the kind of app', () => {
    const scoped = (scope: string): WechatStrategyOptions & { passReqToCallback: false } => ({
      ...good,
      scope,
      passReqToCallback: false,
    });

    expect(() => new WechatMpStrategy(scoped('snsapi_base'), verify)).not.toThrow();
    expect(() => new WechatMpStrategy(scoped('snsapi_userinfo'), verify)).not.toThrow();
    expect(() => new WechatOpenStrategy(scoped('snsapi_login'), verify)).not.toThrow();
    expect(() => new WechatMpStrategy(scoped('snsapi_login'), verify)).toThrow('scope');
  });

  it.each([good.secret, new Secret(good.secret)])('do not show the secret in the strategy', (secret) => {
    const strategy = new WechatOpenStrategy({ ...good, secret }, verify);

    expect(inspect(strategy, { depth: 20, showHidden: true }) + JSON.stringify(strategy)).not.toContain(
      good.secret,
    );
  });

  it('build the URL that a browser is sent to, without a request', () => {
    const open = new WechatOpenStrategy(good, verify);
    const mp = new WechatMpStrategy({ ...good, scope: 'snsapi_base' }, verify);
    const redirectUri = 'https%3A%2F%2Fapp.example.com%2Fcallback';

    expect(open.authorizeUrl({ state: 'abc123', lang: 'en' })).toBe(
      `https://open.weixin.qq.com/connect/qrconnect?appid=${good.appid}&redirect_uri=${redirectUri}&response_type=code&scope=snsapi_login&state=abc123&lang=en#wechat_redirect`,
    );
    expect(mp.authorizeUrl({ state: 'abc123' })).toBe(
      `https://open.weixin.qq.com/connect/oauth2/authorize?appid=${good.appid}&redirect_uri=${redirectUri}&response_type=code&scope=snsapi_base&state=abc123#wechat_redirect`,
    );
    expect(() => open.authorizeUrl({ state: 'a-b' })).toThrow('state');
  });

  it('give each strategy its name', () => {
    expect(new WechatOpenStrategy(good, verify).name).toBe('wechat-open');
    expect(new WechatMpStrategy(good, verify).name).toBe('wechat-mp');
  });
});

const meta = { authorizationURL: 'https://a', tokenURL: 'https://t', clientID: 'wx1' };

const tenMinutes = 600_000;

/** A browser with a session; `at` moves the clock. */
function browser() {
  let now = 1_000_000;
  const store = new SessionStateStore({ now: () => now });
  const request = { session: {} };
  return {
    at: (milliseconds: number) => (now = 1_000_000 + milliseconds),
    start: (appid = 'wx1') =>
      new Promise<string>((resolve) => {
        store.store(request, { ...meta, clientID: appid }, (_error, state) => resolve(state ?? ''));
      }),
    finish: (state: string, appid = 'wx1') =>
      new Promise<boolean>((resolve) => {
        store.verify(request, state, { ...meta, clientID: appid }, (_error, ok) => resolve(ok));
      }),
  };
}

describe('SessionStateStore', () => {
  it('gives 32 letters and digits, new every time', async () => {
    const { start } = browser();
    const states = [await start(), await start(), await start()];

    expect(new Set(states).size).toBe(3);
    expect(states.every((state) => /^[A-Za-z0-9]{32}$/.test(state))).toBe(true);
  });

  it('accepts a state once', async () => {
    const { start, finish } = browser();
    const state = await start();

    expect(await finish(state)).toBe(true);
    expect(await finish(state)).toBe(false);
  });

  it('accepts a state for ten minutes', async () => {
    const { at, start, finish } = browser();
    const [early, late] = [await start(), await start()];

    at(tenMinutes - 1);
    expect(await finish(early)).toBe(true);
    at(tenMinutes);
    expect(await finish(late)).toBe(false);
  });

  it('uses a state up that is tried with another app', async () => {
    const { start, finish } = browser();
    const state = await start('wx1');

    expect(await finish(state, 'wx2')).toBe(false);
    expect(await finish(state, 'wx1')).toBe(false);
  });

  it('keeps the ten latest attempts', async () => {
    const { start, finish } = browser();
    const states = [];
    for (let attempt = 0; attempt < 11; attempt++) states.push(await start());

    expect(await finish(states[0] ?? '')).toBe(false);
    expect(await finish(states[1] ?? '')).toBe(true);
    expect(await finish(states[10] ?? '')).toBe(true);
  });

  it.each(['', 'x', 'A'.repeat(10_000)])('refuses %j', async (state) => {
    const { start, finish } = browser();
    await start();

    expect(await finish(state)).toBe(false);
  });

  it('takes a session that somebody else filled for empty', async () => {
    const store = new SessionStateStore();
    const request = { session: { 'wechat:states': { state: 'x' } } };

    const ok = await new Promise((resolve) => {
      store.verify(request, 'x', meta, (_error, verified) => resolve(verified));
    });

    expect(ok).toBe(false);
  });

  it('says what is missing when there is no session', async () => {
    const store = new SessionStateStore();
    const request = {};

    const errors = await Promise.all([
      new Promise((resolve) => store.store(request, meta, resolve)),
      new Promise((resolve) => store.verify(request, 'x', meta, resolve)),
    ]);

    expect(errors).toEqual([expect.any(TypeError), expect.any(TypeError)]);
    expect(String(errors[0])).toContain('request.session');
  });
});
