import { WechatEmulator, type OpenPlatformAccount, type WebsiteApp } from '../../../emulator/index.js';
import {
  type RunnableStrategy,
  runStrategy,
  type StrategyOutcome,
} from '../../../src/wechat/strategies/run-strategy.js';
import type { WechatStateStore } from '../../../src/wechat/strategies/state-store.js';
import { WechatMpStrategy, WechatOpenStrategy } from '../../../src/wechat/strategies/wechat.strategies.js';
import type { WechatVerifyWithRequestAndParams } from '../../../src/wechat/strategies/strategy-options.js';

/** The actions that Passport gives a strategy for one request. */
interface Actions {
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  redirect(url: string, status?: number): void;
  pass(): void;
  error(error: unknown): void;
}

/** A strategy that does one thing. */
function strategyThat(act: (actions: Actions) => unknown): RunnableStrategy {
  return {
    authenticate(): unknown {
      if (!hasActions(this)) throw new Error('the strategy was given no actions');
      return act(this);
    },
  };
}

function hasActions(value: object): value is Actions {
  return ['success', 'fail', 'redirect', 'pass', 'error'].every((name) => name in value);
}

describe('runStrategy', () => {
  it.each<[string, (actions: Actions) => void, unknown]>([
    [
      'success',
      (a) => a.success({ id: 1 }, { scope: 'x' }),
      { kind: 'success', user: { id: 1 }, info: { scope: 'x' } },
    ],
    [
      'fail',
      (a) => a.fail({ message: 'no' }, 403),
      { kind: 'fail', challenge: { message: 'no' }, status: 403 },
    ],
    ['fail with a status alone', (a) => a.fail(400), { kind: 'fail', challenge: undefined, status: 400 }],
    ['redirect', (a) => a.redirect('https://x'), { kind: 'redirect', url: 'https://x', status: 302 }],
    ['pass', (a) => a.pass(), { kind: 'pass' }],
  ])('resolves with the decision: %s', async (_kind, act, outcome) => {
    await expect(runStrategy(strategyThat(act), {})).resolves.toEqual(outcome);
  });

  it.each<[string, (actions: Actions) => unknown]>([
    ['an error', (a) => a.error(new Error('broken'))],
    [
      'an exception',
      () => {
        throw new Error('broken');
      },
    ],
    ['a rejected promise', () => Promise.reject(new Error('broken'))],
  ])('rejects with %s', async (_kind, act) => {
    await expect(runStrategy(strategyThat(act), {})).rejects.toThrow('broken');
  });

  it('leaves the strategy itself untouched', async () => {
    const strategy = strategyThat((a) => a.pass());
    const before = Object.keys(strategy);

    await runStrategy(strategy, {});

    expect(Object.keys(strategy)).toEqual(before);
  });
});

describe('a WeChat strategy without Passport’s middleware', () => {
  let wechat: WechatEmulator;
  let account: OpenPlatformAccount;
  let site: WebsiteApp;

  const callbackURL = 'http://localhost:1/callback';
  /** A store of the host's own: it knows the states it gave out elsewhere. */
  const store: WechatStateStore = {
    store: (_request, _meta, done) => done(null, 'StateOfTheHost'),
    verify: (_request, state, _meta, done) => done(null, state.startsWith('State')),
  };
  const options = () => ({
    appid: site.appid,
    secret: site.secret,
    callbackURL,
    store,
    endpoints: wechat.endpoints,
    allowLoopback: true,
  });
  const strategy = () =>
    new WechatOpenStrategy(options(), (_access, _refresh, profile, done) => done(null, profile));

  beforeEach(async () => {
    wechat = await WechatEmulator.start();
    account = wechat.openPlatformAccount();
    site = account.websiteApp({ callbackDomain: 'localhost' });
  });

  afterEach(async () => {
    await wechat.stop();
  });

  const urlOf = (outcome: StrategyOutcome) => (outcome.kind === 'redirect' ? outcome.url : outcome.kind);

  async function codeOf(nickname: string): Promise<string> {
    const outcome = await runStrategy(strategy(), { query: {} });
    if (outcome.kind !== 'redirect') throw new Error(outcome.kind);
    const screen = await wechat.showQrCode(outcome.url);
    const person = wechat.person({ nickname });
    await person.scan(screen.content);
    await person.confirm();
    return (await screen.finish()).code;
  }

  it('starts with a state of the host’s own', async () => {
    const outcome = await runStrategy(strategy(), { query: {} }, { state: 'StateOfThisAttempt' });

    expect(outcome).toEqual({
      kind: 'redirect',
      status: 302,
      url:
        `${wechat.endpoints.open}/connect/qrconnect?appid=${site.appid}` +
        `&redirect_uri=${encodeURIComponent(callbackURL)}&response_type=code&scope=snsapi_login` +
        '&state=StateOfThisAttempt#wechat_redirect',
    });
  });

  it.each(['', 'a-b', 'a b', 'ä', 'x'.repeat(129)])('never sends WeChat the state %j', async (state) => {
    const failing: WechatStateStore = { ...store, store: (_request, _meta, done) => done(null, state) };
    const own = new WechatOpenStrategy({ ...options(), store: failing }, (_a, _r, profile, done) =>
      done(null, profile),
    );

    await expect(runStrategy(own, { query: {} })).rejects.toThrow(/^state: /);
    if (state !== '')
      await expect(runStrategy(strategy(), { query: {} }, { state })).rejects.toThrow(/^state: /);
  });

  it('takes language, callback and popup from the call', async () => {
    const mp = new WechatMpStrategy(options(), (_access, _refresh, profile, done) => done(null, profile));
    const choices = {
      lang: 'en',
      forcePopup: true,
      scope: 'snsapi_base',
      callbackURL: 'https://b.example.com/cb',
    };

    const onPc = await runStrategy(strategy(), { query: {} }, { lang: 'en' });
    const inWechat = await runStrategy(mp, { query: {} }, choices);

    expect(urlOf(onPc)).toMatch(/&lang=en#wechat_redirect$/);
    expect(urlOf(inWechat)).toMatch(
      /redirect_uri=https%3A%2F%2Fb\.example\.com%2Fcb&response_type=code&scope=snsapi_base&state=\w+&forcePopup=true#/,
    );
  });

  it.each([
    [{ callbackURL: '/callback' }, 'callbackURL'],
    [{ scope: 'snsapi_userinfo' }, 'scope'],
  ])('rejects the choice %j', async (choice, name) => {
    await expect(runStrategy(strategy(), { query: {} }, choice)).rejects.toThrow(name);
  });

  it.each([
    ['the browser’s own state', 'StateX', 'access_denied'],
    ['a foreign state', 'Forged', 'state_mismatch'],
  ])('tells a refusal from a forgery: %s', async (_kind, state, message) => {
    expect(await runStrategy(strategy(), { query: { state } })).toEqual({
      kind: 'fail',
      challenge: { message },
      status: 403,
    });
  });

  it('keeps simultaneous sign-ins apart', async () => {
    const shared = strategy();
    const [first, second] = [await codeOf('慢'), await codeOf('快')];
    wechat.once('/sns/oauth2/access_token', { delay: 100 });

    const outcomes = await Promise.all(
      [first, second].map((code) => runStrategy(shared, { query: { code, state: 'StateX' } })),
    );

    expect(outcomes).toMatchObject([{ user: { displayName: '慢' } }, { user: { displayName: '快' } }]);
  });

  it('asks for the profile when the host wants it, by what was granted', async () => {
    const asked: string[] = [];
    const choosy = new WechatOpenStrategy(
      {
        ...options(),
        skipUserProfile: async (grant) => {
          asked.push(grant.openid);
          return asked.length === 1;
        },
      },
      (_access, _refresh, profile, done) => done(null, profile),
    );

    const first = await runStrategy(choosy, { query: { code: await codeOf('小兰'), state: 'StateX' } });
    const second = await runStrategy(choosy, { query: { code: await codeOf('小明'), state: 'StateX' } });

    expect(first).toMatchObject({ user: { displayName: '', loaded: false } });
    expect(second).toMatchObject({ user: { displayName: '小明', loaded: true } });
  });

  it('hands the request and the token answer to a verify callback that takes them', async () => {
    const request = { query: { code: await codeOf('小兰'), state: 'StateX' }, mark: 'this one' };
    const verify: WechatVerifyWithRequestAndParams = (given, _access, _refresh, params, profile, done) =>
      done(null, { given, params, profile });
    const full = new WechatOpenStrategy({ ...options(), passReqToCallback: true }, verify);

    const outcome = await runStrategy(full, request);

    expect(outcome).toMatchObject({
      kind: 'success',
      user: {
        given: { mark: 'this one' },
        params: { scope: 'snsapi_login' },
        profile: { displayName: '小兰' },
      },
    });
  });

  it('hands the request alone to a verify callback without the token answer', async () => {
    const request = { query: { code: await codeOf('小兰'), state: 'StateX' }, mark: 'this one' };
    const brief = new WechatOpenStrategy(
      { ...options(), passReqToCallback: true },
      (given, _access, _refresh, profile, done) => done(null, { given, profile }),
    );

    expect(await runStrategy(brief, request)).toMatchObject({
      user: { given: { mark: 'this one' }, profile: { displayName: '小兰' } },
    });
  });

  it('fails when the verify callback refuses', async () => {
    const refusing = new WechatOpenStrategy(options(), (_access, _refresh, _profile, done) =>
      done(null, false, { message: 'not here' }),
    );
    const query = { code: await codeOf('小兰'), state: 'StateX' };

    expect(await runStrategy(refusing, { query })).toEqual({
      kind: 'fail',
      challenge: { message: 'not here' },
      status: undefined,
    });
  });

  it('rejects when the verify callback throws', async () => {
    const throwing = new WechatOpenStrategy(options(), () => {
      throw new Error('database gone');
    });
    const query = { code: await codeOf('小兰'), state: 'StateX' };

    await expect(runStrategy(throwing, { query })).rejects.toThrow('database gone');
  });

  it('takes undefined for no error and null for no state, as stores in JavaScript give them', async () => {
    const start = (given: readonly unknown[]) => {
      const untyped: WechatStateStore = {
        ...store,
        store: (_request, _meta, done) => void Reflect.apply(done, undefined, given),
      };
      const own = new WechatOpenStrategy({ ...options(), store: untyped }, (_a, _r, profile, done) =>
        done(null, profile),
      );
      return runStrategy(own, { query: {} });
    };

    expect(urlOf(await start([undefined, 'StateOfTheHost']))).toContain('&state=StateOfTheHost#');
    await expect(start([null, null])).rejects.toThrow(/^state: /);
  });

  it('rejects with the store’s own error, at the start, the callback and a refusal', async () => {
    const broken: WechatStateStore = {
      store: (_request, _meta, done) => done(new Error('no redis')),
      verify: (_request, _state, _meta, done) => done(new Error('no redis'), false),
    };
    const own = new WechatOpenStrategy({ ...options(), store: broken }, (_a, _r, profile, done) =>
      done(null, profile),
    );

    for (const query of [{}, { code: 'c', state: 's' }, { state: 's' }]) {
      await expect(runStrategy(own, { query })).rejects.toThrow('no redis');
    }
  });
});
