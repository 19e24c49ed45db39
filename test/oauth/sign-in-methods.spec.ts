import { DiscoveryService } from '@nestjs/core';
import { type IdentityProviderInput, IdentityProviders } from '../../src/index.js';
import { classifyBrowser } from '../../src/http/user-agent.js';
import { SignInMethods } from '../../src/oauth/registration.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply, userAgents } from '../support/pc-browser.js';
import { authorizeUrl, pkce } from '../support/sign-in.js';

/** The three columns of expectations: what `auto` gives a PC, a phone outside WeChat, and WeChat itself. */
const browsers: Readonly<Record<keyof typeof userAgents, 0 | 1 | 2>> = {
  pc: 0,
  tablet: 0,
  wecom: 0,
  phone: 1,
  wecomOnPhone: 1,
  wechat: 2,
  wechatOnWindows: 2,
};

interface RowCase {
  readonly slug: string;
  readonly pairs: readonly ('open' | 'mp')[];
  readonly changes?: Partial<IdentityProviderInput>;
  readonly auto: readonly [pc: string, phone: string, wechat: string];
  readonly explicit: { readonly open: string; readonly mp: string };
}

const noPhone = 'browser_unsupported';
const noOpen = 'wechat_open_not_configured';
const noMp = 'wechat_mp_not_configured';
const qr = { qr_enabled: true };

const rows: readonly RowCase[] = [
  {
    slug: 'both',
    pairs: ['open', 'mp'],
    auto: ['open', noPhone, 'mp'],
    explicit: { open: 'open', mp: 'mp' },
  },
  {
    slug: 'both-qr-mp',
    pairs: ['open', 'mp'],
    changes: { ...qr, qr_login_with: 'mp' },
    auto: ['follow', noPhone, 'mp'],
    explicit: { open: 'follow_required', mp: 'mp' },
  },
  {
    slug: 'both-qr-open',
    pairs: ['open', 'mp'],
    changes: { ...qr, qr_login_with: 'open' },
    auto: ['follow', noPhone, 'mp'],
    explicit: { open: 'follow_required', mp: 'mp' },
  },
  {
    slug: 'open-only',
    pairs: ['open'],
    auto: ['open', noPhone, noMp],
    explicit: { open: 'open', mp: noMp },
  },
  {
    slug: 'open-only-qr',
    pairs: ['open'],
    changes: qr,
    auto: [noMp, noPhone, noMp],
    explicit: { open: 'follow_required', mp: noMp },
  },
  { slug: 'mp-only', pairs: ['mp'], auto: [noOpen, noPhone, 'mp'], explicit: { open: noOpen, mp: 'mp' } },
  {
    slug: 'mp-only-qr',
    pairs: ['mp'],
    changes: qr,
    auto: ['follow', noPhone, 'mp'],
    explicit: { open: noOpen, mp: 'mp' },
  },
  { slug: 'empty', pairs: [], auto: [noOpen, noPhone, noMp], explicit: { open: noOpen, mp: noMp } },
  {
    slug: 'half',
    pairs: [],
    changes: { open_app_id: 'wx1234567890abcdef', mp_app_secret: 'a-secret-without-its-appid' },
    auto: [noOpen, noPhone, noMp],
    explicit: { open: noOpen, mp: noMp },
  },
];

const isBrowser = (name: string): name is keyof typeof userAgents => name in userAgents;
const browserNames = Object.keys(browsers).filter(isBrowser);
const everyCase = rows.flatMap((row) =>
  browserNames.map((browser) => [browser, row.slug, row.auto[browsers[browser]]] as const),
);

describe('the way to sign in', () => {
  let world: World;
  const { challenge } = pkce();

  beforeAll(async () => {
    world = await startWorld();
    const pairs = {
      open: { open_app_id: world.site.appid, open_app_secret: world.site.secret },
      mp: { mp_app_id: world.oa.appid, mp_app_secret: world.oa.secret },
    };
    for (const { slug, pairs: given, changes } of rows) {
      await world.saveProvider({
        slug,
        ...(given.includes('open') && pairs.open),
        ...(given.includes('mp') && pairs.mp),
        ...changes,
      });
    }
    await world.saveProvider({ slug: 'off', ...pairs.open, enabled: false });
    await world.saveProvider({ slug: 'silent', ...pairs.mp, mp_scope: 'snsapi_base' });
  });
  afterAll(() => world.close());

  const start = (
    browser: keyof typeof userAgents,
    provider: string,
    changes: Readonly<Record<string, string>> = {},
  ) => new PcBrowser(userAgents[browser]).visit(authorizeUrl(world.url, challenge, { provider, ...changes }));

  const listFor = async (browser: keyof typeof userAgents, language = 'en') => {
    const reply = await new PcBrowser(userAgents[browser]).visit(`${world.url}/iam/providers`, {
      headers: { 'accept-language': language },
    });
    return reply;
  };

  it.each(everyCase)('%s at a row "%s" → %s', async (browser, slug, expected) => {
    const listed = findProvider(await listFor(browser), slug);
    const started = outcomeOf(await start(browser, slug));

    const isMethod = ['open', 'mp', 'follow'].includes(expected);
    expect(listed).toMatchObject({
      methods: isMethod ? [expected] : [],
      recommended: isMethod ? expected : null,
      problem: isMethod ? null : { code: expected },
    });
    expect(started).toBe(expected === 'follow' ? 'page 200' : expected);
  });

  it.each(
    rows.flatMap(({ slug, explicit }) => [
      ['open', slug, explicit.open],
      ['mp', slug, explicit.mp],
    ]),
  )('method=%s at a row "%s" → %s, in every browser', async (method = '', slug = '', expected) => {
    const replies = await Promise.all(browserNames.map((browser) => start(browser, slug, { method })));

    expect(new Set(replies.map(outcomeOf))).toEqual(new Set([expected]));
  });

  it.each(rows.map(({ slug, explicit }) => [slug, explicit.open]))(
    'the embedded widget at a row "%s" follows the rules of method=open: %s',
    async (slug, expected) => {
      const reply = await start('pc', slug, { display: 'widget' });

      if (expected === 'open') expect(reply.json()['appid']).toBe(world.site.appid);
      else expect(reply.text).toContain(expected);
      expect(reply.headers.getSetCookie()).toHaveLength(expected === 'open' ? 1 : 0);
    },
  );

  it('never sends a browser to WeChat with an empty appid', async () => {
    const replies = await Promise.all(
      everyCase.map(([browser, slug]) => start(browser, slug).then(({ location }) => location)),
    );

    const appids = replies
      .filter((location) => location?.origin === world.wechat.endpoints.open)
      .map((location) => location?.searchParams.get('appid'));
    expect(new Set(appids)).toEqual(new Set([world.site.appid, world.oa.appid]));
  });

  it('is not offered by a row that is switched off or does not exist', async () => {
    const listed = await listFor('pc');
    const off = await start('pc', 'off');
    const unknown = await start('pc', 'nowhere');

    expect(findProvider(listed, 'off')).toBeUndefined();
    expect(outcomeOf(off)).toBe('provider_disabled');
    expect(outcomeOf(unknown)).toBe('provider_not_found');
  });

  it('is refused with its reason for the log', async () => {
    const methods = world.app.get(SignInMethods);
    const provider = await world.app.get(IdentityProviders).getEnabled('open-only');
    const choose = (method: string) =>
      methods.choose(provider, classifyBrowser(undefined), { method, hasFollowed: false });
    const ofNobody = new SignInMethods(world.app.get(DiscoveryService));

    expect(choose('open')).toBe('open');
    expect(() => choose('mp')).toThrow('wechat_mp_not_configured: provider "open-only", method mp');
    expect(() => choose('telepathy')).toThrow('method_unavailable: no method "telepathy"');
    expect(() => ofNobody.openStep()).toThrow('follow_required: no method of this application gives a proof');
  });

  it('is listed with a reason in the language of the reader, and without appids or secrets', async () => {
    const english = await listFor('phone', 'en-GB,en;q=0.9,zh;q=0.1');
    const chinese = await listFor('phone', 'zh-CN');

    expect(findProvider(english, 'both')?.['problem']).toEqual({
      code: 'browser_unsupported',
      title: 'Open this page in WeChat.',
    });
    expect(findProvider(chinese, 'both')?.['problem']).toEqual({
      code: 'browser_unsupported',
      title: '请在微信中打开此页面。',
    });
    expect(english.json()['browser']).toBe('phone');
    expect(english.headers.get('vary')).toBe('User-Agent, Accept-Language, Origin');
    for (const hidden of [world.site.appid, world.site.secret, world.oa.appid, world.oa.secret])
      expect(english.text).not.toContain(hidden);
  });

  describe('is asked of WeChat with its documented parameters, in their order', () => {
    const addressOf = async (slug: string, method: string) => {
      const { location } = await start('pc', slug, { method });
      const state = location?.searchParams.get('state') ?? '?';
      return location?.href.replace(state, 'STATE');
    };
    const callback = (slug: string) => encodeURIComponent(`${world.url}/iam/callback/${slug}`);

    it('the QR page of the Open Platform', async () => {
      const { open } = world.wechat.endpoints;

      expect(await addressOf('both', 'open')).toBe(
        `${open}/connect/qrconnect?appid=${world.site.appid}&redirect_uri=${callback('both')}` +
          '&response_type=code&scope=snsapi_login&state=STATE#wechat_redirect',
      );
    });

    it.each([
      ['both', 'snsapi_userinfo'],
      ['silent', 'snsapi_base'],
    ])('the consent page of the Official Account, as row "%s" says: %s', async (slug, scope) => {
      const { open } = world.wechat.endpoints;

      expect(await addressOf(slug, 'mp')).toBe(
        `${open}/connect/oauth2/authorize?appid=${world.oa.appid}&redirect_uri=${callback(slug)}` +
          `&response_type=code&scope=${scope}&state=STATE#wechat_redirect`,
      );
    });
  });
});

function findProvider(reply: Reply, slug: string): Record<string, unknown> | undefined {
  const { providers } = reply.json();
  if (!Array.isArray(providers)) throw new Error(`no providers: ${reply.text}`);
  const found: unknown = providers.find((each: unknown) => isRecord(each) && each['slug'] === slug);
  return isRecord(found) ? found : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Where a start leads: a method, an error, or a page of our own. */
function outcomeOf({ location, status }: Reply): string {
  if (location?.pathname === '/connect/qrconnect') return 'open';
  if (location?.pathname === '/connect/oauth2/authorize') return 'mp';
  return location?.searchParams.get('error') ?? `page ${status}`;
}
