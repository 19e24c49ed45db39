import { inspect } from 'node:util';
import { Secret } from '../../../src/crypto/secret.js';
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
