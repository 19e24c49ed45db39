import { decodeJwt } from 'jose';
import { IamPagesModule } from '../../pages/server/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { FakeClock } from '../support/fake-clock.js';
import { redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc } from '../support/sign-in.js';
import { oldIdToken, refreshOf, registerSso, signIn, start, tokensOf } from '../support/single-sign-on.js';

describe('single sign-on', () => {
  const clock = new FakeClock();
  let world: World;
  let admin: AdminClient;
  let shop: string;
  let blog: string;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions, clock });
    await world.saveProvider({
      slug: 'second',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    admin = new AdminClient(world.url);
    [shop, blog] = [await registerSso(world), await registerSso(world)];
  });
  afterAll(() => world.close());

  const person = (nickname = '单') => world.wechat.person({ nickname });
  const cookieOf = async (browser: PcBrowser) =>
    (await browser.jar.getCookies(world.url)).find(({ key }) => key === 'iam-browser');
  const claimsOf = (reply: Reply) => decodeJwt(String(reply.json()['access_token']));
  /** A browser in which a person is signed in to the shop. */
  const signedIn = async (who = person(), browser = new PcBrowser()) => {
    const tokens = await tokensOf(world, await signIn(world, browser, who, shop), shop);
    return { browser, tokens, claims: claimsOf(tokens) };
  };
  const sub = ({ claims }: { claims: Readonly<Record<string, unknown>> }) => String(claims['sub']);

  it('brings a person to a second application without WeChat, in one statement, and one more for the tokens', async () => {
    const first = await signedIn();
    const calls = world.wechat.calls().length;
    const queries = countQueries(world.database.url);

    const entered = await start(world, first.browser, blog, { provider: undefined });
    const ofAuthorize = queries.since(0).length;
    const tokens = await tokensOf(world, entered, blog);
    const ofAll = queries.since(0).length;
    queries.stop();

    expect([entered.returned.status, tokens.status]).toEqual([303, 200]);
    expect([ofAuthorize, ofAll - ofAuthorize]).toEqual([1, 1]);
    expect(world.wechat.calls()).toHaveLength(calls);
    expect(claimsOf(tokens)).toMatchObject({
      sub: first.claims.sub,
      client_id: blog,
      auth_time: first.claims['auth_time'],
      amr: first.claims['amr'],
    });
    const sessions = await rowsOf(
      world.dataSource,
      'SELECT DISTINCT browser_session_id FROM iam.sessions WHERE user_id = $1',
      [first.claims.sub],
    );
    expect(sessions).toEqual([{ browser_session_id: expect.any(String) as string }]);
  });

  it('is of applications with sso alone, which an administrator says', async () => {
    const plain = await registerSso(world, { sso: false });
    const browser = new PcBrowser();
    await tokensOf(world, await signIn(world, browser, person(), plain), plain);
    const cookie = await cookieOf(browser);
    const first = await signedIn(person(), browser);

    const [atPlain, atWeb] = [await start(world, browser, plain), await start(world, browser, 'web')];
    await admin.patch(`clients/${plain}`, { sso: true });
    const later = await start(world, browser, plain);

    expect(cookie).toBeUndefined();
    expect([atPlain.isBack, atWeb.isBack]).toEqual([false, false]);
    expect(claimsOf(await tokensOf(world, later, plain)).sub).toBe(first.claims.sub);
  });

  it('keeps its browser in a cookie that no script, no other site’s form and no other browser has', async () => {
    const { browser } = await signedIn();
    const cookie = await cookieOf(browser);
    const changed = new PcBrowser();
    await changed.jar.setCookie(`iam-browser=${String(cookie?.value).slice(0, -2)}AA; Path=/`, world.url);

    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'lax', path: '/' });
    expect(cookie?.value).toMatch(/^sealed/);
    expect((await start(world, changed, blog)).isBack).toBe(false);
  });

  describe('a request that asks for the person', () => {
    it.each([
      ['prompt=login', { prompt: 'login' }],
      ['prompt=select_account', { prompt: 'select_account' }],
      ['max_age=0', { max_age: '0' }],
      ['another provider', { provider: 'second' }],
      ['the embedded QR code', { display: 'widget' }],
    ])('goes to WeChat: %s', async (_name, changes) => {
      const { browser } = await signedIn();

      expect((await start(world, browser, blog, changes)).isBack).toBe(false);
      expect((await start(world, browser, blog)).isBack).toBe(true);
    });

    it('with max_age, once the sign-in is older', async () => {
      const { browser } = await signedIn();
      const before = await start(world, browser, blog, { max_age: '600' });
      clock.advance(1200);

      const after = await start(world, browser, blog, { max_age: '600' });
      const silent = await start(world, browser, blog, { max_age: '600', prompt: 'none' });
      clock.advance(-1200);

      expect([before.isBack, after.isBack, silent.error]).toEqual([true, false, 'login_required']);
    });

    it('proves them anew, which the tokens say', async () => {
      const who = person();
      const { browser, claims } = await signedIn(who);
      await world.dataSource.query(
        "UPDATE iam.browser_sessions SET auth_time = auth_time - interval '1 hour' WHERE user_id = $1",
        [claims.sub],
      );

      await tokensOf(world, await signIn(world, browser, who, blog, { prompt: 'login' }), blog);
      const entered = await tokensOf(world, await start(world, browser, shop), shop);

      expect(Number(claimsOf(entered)['auth_time'])).toBeGreaterThanOrEqual(Number(claims['auth_time']));
      expect(claimsOf(entered).sub).toBe(claims.sub);
    });
  });

  describe('a request that must not ask (prompt=none)', () => {
    const silently = (browser: PcBrowser, changes: Readonly<Record<string, string>> = {}, client = blog) =>
      start(world, browser, client, { prompt: 'none', ...changes });

    it('gets a code from a browser in which somebody is signed in', async () => {
      const { browser, claims } = await signedIn();

      const entered = await silently(browser);

      expect(claimsOf(await tokensOf(world, entered, blog)).sub).toBe(claims.sub);
    });

    it('gets an error from any other one, and never a page', async () => {
      const nobody = await silently(new PcBrowser());
      const { browser } = await signedIn();
      const plain = await silently(browser, {}, 'web');
      const provider = await silently(browser, { provider: 'second' });
      const both = await silently(browser, { prompt: 'none login' });
      const unknown = await silently(browser, { prompt: 'create' });

      expect([nobody, plain, provider, both, unknown].map(({ error }) => error)).toEqual([
        'login_required',
        'login_required',
        'interaction_required',
        'invalid_request',
        'invalid_request',
      ]);
      expect(nobody.returned.location?.searchParams.get('iss')).toBe(world.url);
      expect(nobody.returned.location?.searchParams.get('state')).toBe('client-state');
    });

    it('gets login_required in a frame of another site, which browsers send without the cookie', async () => {
      const { browser } = await signedIn();
      const url = new URL(`${world.url}/iam/authorize`);
      const parameters = {
        ...{ response_type: 'code', client_id: blog, redirect_uri: `${world.url}/signed-in`, prompt: 'none' },
        ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', provider: 'wechat' },
      };
      url.search = new URLSearchParams(parameters).toString();

      const framed = await browser.visit(url, { from: 'https://blog.example' });
      const navigated = await browser.visit(url);

      expect(framed.location?.searchParams.get('error')).toBe('login_required');
      expect(navigated.location?.searchParams.get('code')).toEqual(expect.any(String));
    });
  });

  it('stops at terms that the person has not agreed to', async () => {
    const { browser } = await signedIn();
    const imports = [IamPagesModule.forRoot({ terms: '/terms' })];
    const strict = await startReplica(world, { options: adminOptions, imports });
    const redirect_uri = redirectUri(world.url);

    const asked = await start(strict, browser, blog, { redirect_uri });
    const silent = await start(strict, browser, blog, { redirect_uri, prompt: 'none' });
    await strict.close();

    expect([asked.returned.location?.pathname, silent.error]).toEqual([
      '/iam/ui/sign-in',
      'consent_required',
    ]);
  });

  describe('id_token_hint', () => {
    it('names the person: another one is signed out of nothing, and must sign in', async () => {
      const [mine, other] = [await signedIn(), await signedIn()];
      const hint = (of: { claims: Readonly<Record<string, unknown>> }) =>
        oldIdToken(world, { sub: sub(of), aud: blog });
      const same = await start(world, mine.browser, blog, {
        prompt: 'none',
        id_token_hint: await hint(mine),
      });
      const id_token_hint = await hint(other);

      const silent = await start(world, mine.browser, blog, { prompt: 'none', id_token_hint });
      const asked = await start(world, mine.browser, blog, { id_token_hint });

      expect([same.code !== null, silent.error, asked.isBack]).toEqual([true, 'login_required', false]);
    });

    it('sends a sign-in of another person back as an error, and its code is worth nothing', async () => {
      const expected = await signedIn();
      const id_token_hint = await oldIdToken(world, { sub: sub(expected), aud: 'web' });

      const wrong = await signIn(world, new PcBrowser(), person('别'), 'web', { id_token_hint });

      expect(wrong.returned.location?.searchParams.get('error')).toBe('login_required');
      const login = await rowsOf(
        world.dataSource,
        "SELECT status, error FROM iam.logins WHERE client_id = 'web' ORDER BY id DESC LIMIT 1",
      );
      expect(login).toEqual([{ status: 'failed', error: 'login_required' }]);
      const entries = await rowsOf(
        world.dataSource,
        "SELECT provider, detail FROM iam.audit_log WHERE action = 'login.failed' AND client_id = 'web' AND user_id IS NOT NULL",
      );
      const detail = { error: 'login_required', method: 'open', appid: world.site.appid };
      expect(entries).toEqual([{ provider: 'wechat', detail }]);
    });

    it('lets the very person in', async () => {
      const who = person();
      const first = await signedIn(who);
      const id_token_hint = await oldIdToken(world, { sub: sub(first), aud: 'web' });

      const again = await signIn(world, new PcBrowser(), who, 'web', { id_token_hint });

      expect(claimsOf(await tokensOf(world, again, 'web')).sub).toBe(first.claims.sub);
    });

    it('must be an ID token of ours, of this client', async () => {
      const { browser, claims, tokens } = await signedIn();
      const good = await oldIdToken(world, { sub: String(claims.sub), aud: blog });
      const hints = [
        'not-a-token',
        `${good.slice(0, -4)}AAAA`,
        await oldIdToken(world, { sub: String(claims.sub), aud: shop }),
        await oldIdToken(world, { sub: String(claims.sub), aud: blog, iss: 'https://evil.example' }),
        String(tokens.json()['access_token']),
        'sealed:v1:00000000:AAAA',
      ];

      for (const id_token_hint of hints)
        expect((await start(world, browser, blog, { id_token_hint })).error).toBe('invalid_request');
    });
  });

  it('shows our pages in the language of ui_locales', async () => {
    const url = `${world.url}/iam/authorize?client_id=nobody`;
    const headers = { 'accept-language': 'zh-CN' };

    const asked = await new PcBrowser().visit(`${url}&ui_locales=fr%20en`, { headers });
    const unknown = await new PcBrowser().visit(`${url}&ui_locales=fr`, { headers });

    expect([asked.text, unknown.text]).toEqual([
      expect.stringContaining('<html lang="en">'),
      expect.stringContaining('<html lang="zh-CN">'),
    ]);
  });

  describe('a new sign-in in a browser', () => {
    it('makes every earlier cookie worthless (fixation)', async () => {
      const who = person();
      const { browser } = await signedIn(who);
      const thief = new PcBrowser();
      await thief.jar.setCookie(String(await cookieOf(browser)), world.url);
      const before = await start(world, thief, blog);

      await signIn(world, browser, who, shop, { prompt: 'login' });

      expect([before.isBack, (await start(world, thief, blog)).isBack]).toEqual([true, false]);
      expect((await start(world, browser, blog)).isBack).toBe(true);
    });

    it('by the same person keeps what was born before, which still ends with it', async () => {
      const who = person();
      const { browser, tokens, claims } = await signedIn(who);
      await tokensOf(world, await signIn(world, browser, who, blog, { prompt: 'login' }), blog);
      const refreshed = await refreshOf(world, tokens, shop);

      await admin.delete(`users/${String(claims.sub)}/sessions`);

      expect(refreshed.status).toBe(200);
      expect((await refreshOf(world, refreshed, shop)).status).toBe(400);
    });

    it('by the same person, whose browser session has expired, keeps what was born before too', async () => {
      const who = person();
      const { browser, tokens, claims } = await signedIn(who);
      await world.dataSource.query(
        "UPDATE iam.browser_sessions SET idle_expires_at = now() - interval '1 day' WHERE user_id = $1",
        [claims.sub],
      );

      await tokensOf(world, await signIn(world, browser, who, blog), blog);
      const refreshed = await refreshOf(world, tokens, shop);
      const entered = await start(world, browser, shop);
      const { items } = await admin.get(`sessions?user=${String(claims.sub)}&client=${blog}`);
      await admin.delete(`sessions/${String(items()[0]?.['id'])}`);

      expect([refreshed.status, entered.isBack]).toEqual([200, true]);
      expect((await refreshOf(world, refreshed, shop)).status).toBe(400);
    });

    it('by another person ends what the first one had', async () => {
      const { browser, tokens, claims } = await signedIn();
      const other = await tokensOf(
        world,
        await signIn(world, browser, person('另'), blog, { prompt: 'login' }),
        blog,
      );

      const entered = await tokensOf(world, await start(world, browser, shop), shop);

      expect((await refreshOf(world, tokens, shop)).status).toBe(400);
      expect(claimsOf(entered).sub).toBe(claimsOf(other).sub);
      expect(claimsOf(entered).sub).not.toBe(claims.sub);
    });

    it('gives a repeated callback the same cookie', async () => {
      const { browser, callback } = await approveOnPc(world, person(), { client_id: shop });
      const count = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.browser_sessions');
      const before = Number(await count());

      const replies = [await browser.visit(callback), await browser.visit(callback)];

      const set = replies.map((reply) => reply.headers.getSetCookie().join().includes('iam-browser='));
      expect([set, await count()]).toEqual([[true, true], before + 1]);
      expect((await start(world, browser, blog)).isBack).toBe(true);
    });
  });

  describe('ends', () => {
    const endings = {
      'when the person signs out elsewhere': async (userId: string) => {
        const elsewhere = await signedInAs(userId);
        const headers = { authorization: `Bearer ${elsewhere}`, accept: 'application/json' };
        await new PcBrowser().visit(`${world.url}/iam/me/sessions`, { method: 'DELETE', headers });
      },
      'when an administrator ends their sessions': (userId: string) =>
        admin.delete(`users/${userId}/sessions`),
      'when an administrator ends one session of it': async (userId: string) => {
        const { items } = await admin.get(`sessions?user=${userId}&live=true`);
        await admin.delete(`sessions/${String(items()[0]?.['id'])}`);
      },
      'when the user is banned': async (userId: string) => {
        await admin.post(`users/${userId}/disable`, {}, '*');
        await admin.post(`users/${userId}/enable`, {}, '*');
      },
      'after its idle life': (userId: string) =>
        world.dataSource.query(
          "UPDATE iam.browser_sessions SET idle_expires_at = now() - interval '1 second' WHERE user_id = $1",
          [userId],
        ),
      'after its absolute life': (userId: string) =>
        world.dataSource.query(
          "UPDATE iam.browser_sessions SET expires_at = now() - interval '1 second' WHERE user_id = $1",
          [userId],
        ),
      'when WeChat has withdrawn the proof': (userId: string) =>
        world.dataSource.query('UPDATE iam.identities SET withdrawn_at = now() WHERE user_id = $1', [userId]),
    } as const;
    let who: ReturnType<World['wechat']['person']>;
    const signedInAs = async (userId: string) => {
      const other = await signedIn(who);
      expect(other.claims.sub).toBe(userId);
      return String(other.tokens.json()['access_token']);
    };

    it.each(Object.entries(endings))('%s', async (_name, end) => {
      who = person();
      const { browser, claims } = await signedIn(who);
      const entered = await start(world, browser, blog);

      await end(String(claims.sub));

      expect(entered.code).toEqual(expect.any(String));
      expect((await start(world, browser, blog)).isBack).toBe(false);
    });

    it('with all that was born from it, codes that wait too', async () => {
      const { browser, tokens, claims } = await signedIn();
      const blogTokens = await tokensOf(world, await start(world, browser, blog), blog);
      const waiting = await start(world, browser, blog);
      const { items } = await admin.get(`sessions?user=${String(claims.sub)}&client=${blog}`);

      await admin.delete(`sessions/${String(items()[0]?.['id'])}`);

      const refused = [
        await refreshOf(world, tokens, shop),
        await refreshOf(world, blogTokens, blog),
        await tokensOf(world, waiting, blog),
      ];
      expect(refused.map((reply) => reply.json()['error'])).toEqual(refused.map(() => 'invalid_grant'));
    });

    it('with the user, of whom nothing is left', async () => {
      const { browser, claims } = await signedIn();
      await admin.delete(`users/${String(claims.sub)}`);

      const [entry] = await rowsOf(
        world.dataSource,
        "SELECT detail FROM iam.audit_log WHERE action = 'user.erased' AND user_id = $1",
        [claims.sub],
      );
      expect(entry?.['detail']).toMatchObject({ sessions: 1, browserSessions: 1 });
      expect((await start(world, browser, blog)).isBack).toBe(false);
    });

    it('not when an application revokes its own session', async () => {
      const { browser, tokens } = await signedIn();
      await new PcBrowser().visit(`${world.url}/iam/revoke`, {
        form: { client_id: shop, token: String(tokens.json()['refresh_token']) },
      });

      expect((await start(world, browser, shop)).isBack).toBe(true);
    });

    it('and does not bring the person to an application without their provider, or by a row that is disabled', async () => {
      const { browser } = await signedIn();
      const other = await registerSso(world, { providers: ['second'] });
      const elsewhere = await start(world, browser, other, { provider: undefined, prompt: 'none' });
      await world.saveProvider({ slug: 'wechat', enabled: false });
      const disabled = await start(world, browser, blog, { prompt: 'none', provider: undefined });
      await world.saveProvider({ slug: 'wechat', enabled: true });

      expect([elsewhere.error, disabled.error]).toEqual(['interaction_required', 'interaction_required']);
    });

    it('where the row asks for a follow that the sign-in has not proven', async () => {
      const { browser } = await signedIn();
      await world.saveProvider({ slug: 'wechat', qr_enabled: true, qr_with: 'follow' });
      const entered = await start(world, browser, blog, { prompt: 'none' });
      await world.saveProvider({ slug: 'wechat', qr_enabled: false });

      expect(entered.error).toBe('interaction_required');
      expect((await start(world, browser, blog, { prompt: 'none' })).code).toEqual(expect.any(String));
    });
  });
});
