import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import { ClientRegistry } from '../../src/http/client-registry.service.js';
import { SubjectIdentifiers } from '../../src/sessions/subject-identifiers.service.js';
import { Logins } from '../../src/sign-in/logins.service.js';
import { adminOptions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { fieldOf, PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { inWechat, returnInWechat } from '../support/signed-in.js';
import { oldIdToken, refreshOf, registerSso, signIn, start, tokensOf } from '../support/single-sign-on.js';

const bye = 'https://shop.example.com/bye?from=iam';

/** Variants of a registered address. */
const foreign = [
  'https://shop.example.com/bye',
  'https://shop.example.com/bye?from=iam&x=1',
  'https://shop.example.com/bye?from=iam#x',
  'https://shop.example.com:443/bye?from=iam',
  'http://shop.example.com/bye?from=iam',
  'HTTPS://shop.example.com/bye?from=iam',
  '//evil.example/bye?from=iam',
  '/\\evil.example',
  'https:evil.example',
  'https://shop.example.com@evil.example/bye?from=iam',
  'https://shop.example.com.evil.example/bye?from=iam',
  'https://shop.example.com/\tbye?from=iam',
  'https://shop.example.com/%2f%2fevil.example',
  'javascript:alert(1)',
  'https://shöp.example.com/bye?from=iam',
];

describe.each(platforms)('signing out of all applications in a browser, on %s', (_name, create) => {
  let world: World;
  let shop: string;
  let blog: string;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, create });
    shop = await registerSso(world, { post_logout_redirect_uris: [bye] });
    blog = await registerSso(world);
  });
  afterAll(() => world.close());

  /** A browser in which a person is signed in to the shop and, without WeChat, to the blog. */
  const signedIn = async (who = world.wechat.person({ nickname: '退' })) => {
    const browser = new PcBrowser();
    const ofShop = await tokensOf(world, await signIn(world, browser, who, shop), shop);
    const ofBlog = await tokensOf(world, await start(world, browser, blog), blog);
    const { sub = '', sid } = decodeJwt(String(ofShop.json()['access_token']));
    const hint = await oldIdToken(world, { sub, aud: shop, sid: String(sid) });
    const isSignedIn = async () => (await start(world, browser, blog)).isBack;
    const areSignedIn = async () => [
      (await refreshOf(world, ofShop, shop)).status === 200,
      (await refreshOf(world, ofBlog, blog)).status === 200,
      await isSignedIn(),
    ];
    return { browser, hint, sub, ofShop, ofBlog, isSignedIn, areSignedIn };
  };
  const endSession = (browser: PcBrowser, parameters: Readonly<Record<string, string>>, headers = {}) =>
    browser.visit(`${world.url}/iam/end_session?${new URLSearchParams(parameters).toString()}`, { headers });
  const confirmationOf = ({ text }: Reply) => fieldOf(text, 'confirmation');
  const decide = (
    browser: PcBrowser,
    confirmation: string,
    { decision = 'sign_out', from = world.url } = {},
  ) => browser.visit(`${world.url}/iam/end_session/decision`, { form: { confirmation, decision }, from });

  it('is told of in the discovery document', async () => {
    const document = await new PcBrowser().visit(`${world.url}/.well-known/openid-configuration`);

    expect(document.json()).toMatchObject({
      end_session_endpoint: `${world.url}/iam/end_session`,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    });
  });

  it('ends everything that was born there, by an ID token that proves the wish, and returns to the application', async () => {
    const { browser, hint, areSignedIn } = await signedIn();

    const reply = await endSession(browser, {
      id_token_hint: hint,
      post_logout_redirect_uri: bye,
      state: 'a b',
    });

    expect([reply.status, reply.location?.href]).toEqual([303, `${bye}&state=a+b`]);
    expect(await areSignedIn()).toEqual([false, false, false]);
    expect((await browser.jar.getCookies(world.url)).map(({ key }) => key)).not.toContain('iam-browser');
  });

  it('takes the form of an application, which browsers send without the cookie, and keeps the token out of addresses', async () => {
    const { browser, hint, areSignedIn } = await signedIn();
    const form = { id_token_hint: hint, post_logout_redirect_uri: bye, client_id: shop };

    const taken = await browser.visit(`${world.url}/iam/end_session`, {
      form,
      from: 'https://shop.example.com',
    });
    const before = await areSignedIn();
    const reply = await browser.visit(taken.location ?? '');

    expect([taken.status, taken.location?.pathname]).toEqual([303, '/iam/end_session']);
    expect(taken.location?.href).not.toContain(hint.slice(0, 20));
    expect(before).toEqual([true, true, true]);
    expect(reply.location?.href).toBe(bye);
    expect(await areSignedIn()).toEqual([false, false, false]);
  });

  it('works where cookies are blocked: the ID token names the session', async () => {
    const { hint, areSignedIn } = await signedIn();

    const reply = await endSession(new PcBrowser(), { id_token_hint: hint });

    expect([reply.status, reply.text]).toEqual([200, expect.stringContaining('已退出登录')]);
    expect(await areSignedIn()).toEqual([false, false, false]);
  });

  it('asks where nothing proves the wish, on a page that no site can frame, in both languages', async () => {
    const { browser, areSignedIn } = await signedIn();

    const page = await endSession(browser, { client_id: shop, post_logout_redirect_uri: bye });
    const english = await endSession(browser, { ui_locales: 'en' });
    const before = await areSignedIn();
    const stayed = await decide(browser, confirmationOf(page), { decision: 'stay' });
    const after = await areSignedIn();
    const ended = await decide(browser, confirmationOf(page));

    expect([page.status, page.text]).toEqual([200, expect.stringContaining('当前登录：退')]);
    expect(english.text).toContain('Signed in as 退');
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect([before, after]).toEqual([
      [true, true, true],
      [true, true, true],
    ]);
    expect([stayed.status, ended.status, ended.location?.href]).toEqual([200, 303, bye]);
    expect(await areSignedIn()).toEqual([false, false, false]);
  });

  it('ends what was born there also where the browser session has expired, or its row is gone', async () => {
    const [asked, gone] = [await signedIn(), await signedIn()];
    const expire =
      "UPDATE iam.browser_sessions SET idle_expires_at = now() - interval '1 s' WHERE user_id = $1";
    await world.dataSource.query(expire, [asked.sub]);
    await world.dataSource.query('DELETE FROM iam.browser_sessions WHERE user_id = $1', [gone.sub]);

    const page = await endSession(asked.browser, { client_id: shop });
    const before = await asked.areSignedIn();
    await decide(asked.browser, confirmationOf(page));
    await endSession(gone.browser, { id_token_hint: gone.hint });

    expect(before).toEqual([true, true, false]);
    expect([await asked.areSignedIn(), await gone.areSignedIn()]).toEqual(
      [0, 1].map(() => [false, false, false]),
    );
  });

  it('asks where the ID token is of another person, whom the browser is not', async () => {
    const [mine, other] = [await signedIn(), await signedIn()];

    const page = await endSession(mine.browser, { id_token_hint: other.hint });
    await decide(mine.browser, confirmationOf(page));

    expect(confirmationOf(page)).not.toBe('');
    expect(await mine.areSignedIn()).toEqual([false, false, false]);
    expect(await other.areSignedIn()).toEqual([true, true, true]);
  });

  it('knows a person by the ID token of a user who was merged into theirs, to sign in and to sign out', async () => {
    const who = world.wechat.person({ nickname: '并' });
    const party = await registerSso(world, { first_party: false, subject_type: 'pairwise' });
    const [mine, other] = [await signedIn(who), await signedIn()];
    world.account.unbind(world.oa);
    const { id: gone } = await inWechat(world, who);
    world.account.bind(world.oa);
    const client = world.app.get(ClientRegistry, { strict: false }).find(party);
    const subjects = world.app.get(SubjectIdentifiers, { strict: false });
    const subAtParty = client && (await subjects.of(gone, client));
    const hintOf = async (aud: string, sub = gone) => ({
      id_token_hint: await oldIdToken(world, { sub, aud }),
    });
    const silent = async ({ browser }: { readonly browser: PcBrowser }, aud: string, sub?: string) =>
      (await start(world, browser, aud, { prompt: 'none', ...(await hintOf(aud, sub)) })).error;
    const before = await silent(mine, shop);

    const merging = await returnInWechat(world, who, await hintOf('web'));
    const after = [
      await silent(mine, shop),
      await silent(mine, party, subAtParty),
      await silent(other, shop),
    ];
    // As a sign-in leaves it that found its user just before the merge.
    const late = await valueOf(
      world.dataSource,
      `WITH late AS (UPDATE iam.logins SET user_id = $1 WHERE client_id = 'web' AND user_id = $2 RETURNING id) SELECT id FROM late`,
      [gone, mine.sub],
    );
    const begun = { provider: 'wechat', method: 'mp', appid: world.oa.appid, clientId: 'web' } as const;
    const logins = world.app.get(Logins, { strict: false });
    await logins.requireSamePerson(String(late), gone, begun);
    await logins.requireSamePerson(String(late), mine.sub, begun);
    await endSession(mine.browser, await hintOf(shop));

    expect([before, gone === mine.sub]).toEqual(['login_required', false]);
    expect(merging.returned.location?.searchParams.get('error')).toBeNull();
    expect(after).toEqual([null, 'consent_required', 'login_required']);
    expect(await mine.areSignedIn()).toEqual([false, false, false]);
  });

  it('takes no decision from another site, another browser’s page or an earlier sign-in (logout CSRF)', async () => {
    const [mine, other] = [await signedIn(), await signedIn()];
    const [ofMine, ofOther] = [await endSession(mine.browser, {}), await endSession(other.browser, {})];

    const replies = [
      await decide(mine.browser, confirmationOf(ofMine), { from: 'https://evil.example' }),
      await decide(mine.browser, confirmationOf(ofOther)),
      await decide(mine.browser, 'sealed:v1:00000000:AAAA'),
      await mine.browser.visit(`${world.url}/iam/end_session/decision`, {
        form: { confirmation: confirmationOf(ofMine), decision: 'sign_out' },
        headers: { 'sec-fetch-site': 'same-site' },
      }),
    ];

    expect(replies.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(await mine.areSignedIn()).toEqual([true, true, true]);
  });

  it('goes back with a state of any length that it takes', async () => {
    const { browser } = await signedIn();
    const state = '状'.repeat(1024);
    const page = await endSession(browser, { client_id: shop, post_logout_redirect_uri: bye, state });

    const ended = await decide(browser, confirmationOf(page));

    expect(ended.location?.searchParams.get('state')).toBe(state);
  });

  it('goes to no address but a registered one, and ends nothing', async () => {
    const { browser, hint, areSignedIn } = await signedIn();

    for (const post_logout_redirect_uri of foreign) {
      const reply = await endSession(browser, { id_token_hint: hint, post_logout_redirect_uri });
      expect([post_logout_redirect_uri, reply.status, reply.location]).toEqual([
        post_logout_redirect_uri,
        400,
        null,
      ]);
      expect(reply.text).toContain('redirect_uri_mismatch');
    }

    expect(await areSignedIn()).toEqual([true, true, true]);
  });

  it('refuses what is not whole, and ends nothing', async () => {
    const { browser, hint, sub, ofShop, areSignedIn } = await signedIn();
    const jwks = (await new PcBrowser().visit(`${world.url}/iam/jwks`)).text;
    const { kid = '' } = decodeProtectedHeader(hint);
    const claims = { iss: world.url, sub, aud: shop };
    const unsigned = [{ alg: 'none', kid }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const byPublicKey = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid });
    const another = await generateKeyPair('ES256');
    const byAnother = new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid });
    const refusals = [
      { id_token_hint: `${unsigned.join('.')}.` },
      { id_token_hint: await byPublicKey.sign(Buffer.from(jwks)) },
      { id_token_hint: await byAnother.sign(another.privateKey) },
      { id_token_hint: hint, client_id: blog },
      { id_token_hint: `${hint.slice(0, -4)}AAAA` },
      { id_token_hint: String(ofShop.json()['access_token']) },
      { id_token_hint: 'none' },
      { post_logout_redirect_uri: bye },
      { wish: 'sealed:v1:00000000:AAAA' },
    ];

    for (const parameters of refusals) {
      const reply = await endSession(browser, parameters);
      expect([reply.status, reply.text]).toEqual([400, expect.stringContaining('invalid_request')]);
    }
    const unknown = await endSession(browser, { client_id: 'nobody' });
    const twice = await browser.visit(`${world.url}/iam/end_session?state=1&state=2`);
    expect([unknown.text, twice.text]).toEqual([
      expect.stringContaining('client_unknown'),
      expect.stringContaining('invalid_request'),
    ]);
    expect(await areSignedIn()).toEqual([true, true, true]);
  });

  it('leaves nothing behind, whatever two tabs and two applications do at the same time', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { browser, hint, sub } = await signedIn();
      const enter = async (id: string) => {
        const entered = await start(world, browser, id);
        return entered.code === null ? null : tokensOf(world, entered, id);
      };

      await Promise.all([
        enter(shop),
        enter(blog),
        endSession(browser, { id_token_hint: hint }),
        enter(blog),
        endSession(browser, { id_token_hint: hint }),
      ]);

      const live = await rowsOf(
        world.dataSource,
        'SELECT client_id FROM iam.sessions WHERE user_id = $1 AND ended_at IS NULL',
        [sub],
      );
      expect(live).toEqual([]);
    }
  });

  it('lets two tabs in at the same time as one person', async () => {
    const { browser, sub } = await signedIn();

    const tabs = await Promise.all([shop, blog, shop, blog].map((id) => start(world, browser, id)));
    const tokens = await Promise.all(
      tabs.map((tab, index) => tokensOf(world, tab, index % 2 === 0 ? shop : blog)),
    );

    expect(tokens.map((reply) => decodeJwt(String(reply.json()['access_token'])).sub)).toEqual(
      tokens.map(() => sub),
    );
  });

  it('returns also where nobody is signed in, and a second time', async () => {
    const { browser, hint } = await signedIn();
    const parameters = { id_token_hint: hint, post_logout_redirect_uri: bye };

    const replies = [await endSession(browser, parameters), await endSession(browser, parameters)];
    const nobody = await endSession(new PcBrowser(), { client_id: shop, post_logout_redirect_uri: bye });

    expect([...replies, nobody].map(({ location }) => location?.href)).toEqual([bye, bye, bye]);
  });

  describe('where an application keeps its session in cookies', () => {
    const names = async (browser: PcBrowser) =>
      (await browser.jar.getCookies(`${world.url}/iam`)).map(({ key }) => key);
    const isSignedIn = async (browser: PcBrowser) =>
      (await browser.visit(`${world.url}/iam/me`, { headers: { accept: 'application/json' } })).status ===
      200;
    const byCookies = async (members: Readonly<Record<string, unknown>>) => {
      const app = await registerSso(world, { tokens: 'cookie', ...members });
      const browser = new PcBrowser();
      const signedInThere = await signIn(world, browser, world.wechat.person({ nickname: '饼' }), app);
      await browser.visit(`${world.url}/iam/token`, {
        form: {
          grant_type: 'authorization_code',
          client_id: app,
          code: signedInThere.returned.location?.searchParams.get('code') ?? '',
          redirect_uri: `${world.url}/signed-in`,
          code_verifier: signedInThere.verifier,
        },
        from: world.url,
      });
      return browser;
    };

    it('removes the session cookies of the browser', async () => {
      const browser = await byCookies({});
      const before = await names(browser);

      await decide(browser, confirmationOf(await endSession(browser, {})));

      expect(before).toEqual(expect.arrayContaining(['iam-access', 'iam-refresh', 'iam-browser']));
      expect((await names(browser)).filter((key) => /access|refresh|browser/.test(key))).toEqual([]);
    });

    it('asks, and ends it, also where the browser has no session of its own, or none any more', async () => {
      const browsers = [await byCookies({ sso: false }), await byCookies({})];
      await world.dataSource.query('DELETE FROM iam.browser_sessions');
      const live = () =>
        valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.sessions WHERE ended_at IS NULL');
      const before = await live();

      for (const browser of browsers) {
        const asked = confirmationOf(await endSession(browser, {}));
        const [foreign, stayed] = [
          await decide(browser, asked, { from: 'https://blog.example' }),
          await decide(browser, asked, { decision: 'stay' }),
        ];
        const after = await isSignedIn(browser);
        const ended = await decide(browser, asked);

        expect([foreign.status, stayed.status, after, ended.status]).toEqual([403, 200, true, 200]);
        expect(await isSignedIn(browser)).toBe(false);
        expect((await names(browser)).filter((key) => /access|refresh/.test(key))).toEqual([]);
      }
      expect(await live()).toBe(Number(before) - browsers.length);
    });
  });
});
