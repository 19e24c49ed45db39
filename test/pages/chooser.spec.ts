import { z } from 'zod';
import { IamPagesModule } from '../../pages/server/index.js';
import { IamUsers } from '../../src/index.js';
import { adminOptions } from '../support/admin.js';
import { codesOf, leavePage, startOnPage } from '../support/follow-page.js';
import { decideOnPhone, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply, userAgents } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { registerSso, start } from '../support/single-sign-on.js';
import { authorizeUrl, callbackAfterScan, pkce, redeem } from '../support/sign-in.js';

const terms = { 'zh-CN': 'https://example.com/terms?v=2', en: 'https://example.com/en/terms?v=2' };
const privacy = '/privacy';
const scripted = { accept: 'application/json' };
const choosing = { provider: undefined };
const anyText: unknown = expect.any(String);
const matching = (form: RegExp): unknown => expect.stringMatching(form);

const wordsIn = ({ text }: Reply): unknown => {
  const [, content = ''] = /<meta name="iam-sign-in" content="([^"]*)">/.exec(text) ?? [];
  return JSON.parse(content.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))));
};

/** What the page sends when the box is ticked. */
const agree = (
  { url }: World,
  browser: PcBrowser,
  challenge: string,
  { language = 'zh-CN', from = url }: { readonly language?: string; readonly from?: string } = {},
) =>
  browser.visit(`${url}/iam/ui/sign-in/consent`, {
    body: { code_challenge: challenge, language },
    headers: scripted,
    from,
  });

/** The entries of sign-ups, sign-ins and links that have a consent, the oldest first. */
async function consentsOf({ dataSource }: World) {
  const rows: unknown = await dataSource.query(
    `SELECT action, user_id, client_id, detail -> 'consent' AS consent FROM iam.audit_log WHERE detail ? 'consent' ORDER BY at, id`,
  );
  return rows;
}

describe.each(platforms)('a sign-in that names no provider, on %s', (_name, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ create, imports: [IamPagesModule.forRoot()] });
  });
  afterAll(() => world.close());

  it('goes to the page on which people choose, with its own parameters', async () => {
    const asked = authorizeUrl(world.url, pkce().challenge, { ...choosing, state: 'a b&c=ü' });

    const reply = await new PcBrowser().visit(asked);

    expect(reply.status).toBe(302);
    expect(reply.headers.getSetCookie()).toEqual([]);
    expect(`${reply.location?.origin ?? ''}${reply.location?.pathname ?? ''}`).toBe(
      `${world.url}/iam/ui/sign-in`,
    );
    expect([...(reply.location?.searchParams ?? [])]).toEqual([...new URL(asked).searchParams]);
    const page = await new PcBrowser().visit(reply.location ?? '', { headers: { 'accept-language': 'en' } });
    expect(page.status).toBe(200);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('content-security-policy')).toContain(
      `frame-src ${world.wechat.endpoints.open};`,
    );
    expect(wordsIn(page)).toEqual({
      application: null,
      home: world.url,
      back: matching(/\/signed-in\?error=access_denied&.*&state=a\+b%26c%3D%C3%BC&iss=/),
      problem: null,
      isAgreed: false,
      wechat: world.wechat.endpoints.open,
    });
  });

  it('is checked before: client, redirect URI and PKCE', async () => {
    const { challenge } = pkce();
    const visit = (changes: Record<string, string | undefined>) =>
      new PcBrowser().visit(authorizeUrl(world.url, challenge, { ...choosing, ...changes }));

    expect((await visit({ client_id: 'nobody' })).status).toBe(400);
    expect((await visit({ redirect_uri: 'https://evil.example/' })).status).toBe(400);
    const back = (await visit({ code_challenge: undefined })).location;
    expect(back?.href.startsWith(redirectUri(world.url))).toBe(true);
    expect(back?.searchParams.get('error')).toBe('invalid_request');
    const asked = authorizeUrl(world.url, challenge, { ...choosing, display: 'widget' });
    const widget = await new PcBrowser().visit(asked, { headers: scripted });
    expect([widget.status, widget.json()['code']]).toEqual([400, 'invalid_request']);
  });

  it('shows no page whose way back somebody else has written', async () => {
    const page = new URL(
      authorizeUrl(world.url, pkce().challenge, { redirect_uri: 'https://evil.example/' }),
    );
    page.pathname = '/iam/ui/sign-in';

    const reply = await new PcBrowser().visit(page, { headers: scripted });

    expect([reply.status, reply.json()['code']]).toEqual([400, 'redirect_uri_mismatch']);
  });

  it('goes straight to WeChat inside of WeChat, as long as one way works there', async () => {
    const visit = () =>
      new PcBrowser(userAgents.wechat).visit(authorizeUrl(world.url, pkce().challenge, choosing));

    expect((await visit()).location?.pathname).toBe('/connect/oauth2/authorize');
    const { appid: mp_app_id, secret: mp_app_secret } = world.oa;
    await world.saveProvider({ slug: 'second', name: '二店', mp_app_id, mp_app_secret });
    expect((await visit()).location?.pathname).toBe('/iam/ui/sign-in');
    await world.saveProvider({ slug: 'second', enabled: false });
    expect((await visit()).location?.pathname).toBe('/connect/oauth2/authorize');
  });

  it('comes back to the page when WeChat or we refuse, and says why in both languages', async () => {
    const { challenge } = pkce();
    const browser = new PcBrowser();
    const person = world.wechat.person({ nickname: '小兰' });
    const asked = { scope: 'openid profile', nonce: 'n-1' };
    const start = (changes = {}) =>
      browser.visit(
        authorizeUrl(world.url, challenge, { from: 'chooser', method: 'open', ...asked, ...changes }),
      );
    const callback = new URL(await callbackAfterScan(world.wechat, (await start()).location ?? '', person));
    callback.searchParams.delete('code');

    const { status, location } = await browser.visit(callback);

    expect(status).toBe(303);
    expect(location?.pathname).toBe('/iam/ui/sign-in');
    expect(Object.fromEntries(location?.searchParams ?? [])).toEqual({
      response_type: 'code',
      client_id: 'web',
      redirect_uri: redirectUri(world.url),
      state: 'client-state',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...asked,
      error: 'access_denied',
    });
    expect(wordsIn(await browser.visit(location ?? ''))).toMatchObject({
      problem: { code: 'access_denied', texts: { en: anyText, 'zh-CN': anyText } },
    });
    const again = await callbackAfterScan(world.wechat, (await start()).location ?? '', person);
    expect((await browser.visit(again)).location?.searchParams.has('code')).toBe(true);
  });
});

describe.each(platforms)('a site with terms, on %s', (_name, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'tap' },
      {
        create,
        options: { ...adminOptions, siteName: 'Camellia' },
        imports: [IamPagesModule.forRoot({ account: true, terms, privacy })],
      },
    );
    const { appid: open_app_id, secret: open_app_secret } = world.site;
    const { appid: mp_app_id, secret: mp_app_secret } = world.oa;
    const apps = { name: '直', open_app_id, open_app_secret, mp_app_id, mp_app_secret };
    await world.saveProvider({ slug: 'plain', ...apps });
    await world.saveProvider({ slug: 'members', ...apps, sign_up: 'bind' });
  });
  afterAll(() => world.close());

  /** A whole sign-in by the Open Platform's QR code, in a browser that has agreed. */
  async function signIn(nickname: string, provider = 'plain', language = 'zh-CN') {
    const browser = new PcBrowser();
    const { verifier, challenge } = pkce();
    await agree(world, browser, challenge, { language });
    const { location } = await browser.visit(authorizeUrl(world.url, challenge, { provider }));
    const person = world.wechat.person({ nickname });
    const returned = await browser.visit(await callbackAfterScan(world.wechat, location ?? '', person));
    return redeem(world.url, { browser, returned, verifier });
  }

  it('asks for consent before any sign-in starts in a browser, whatever it names', async () => {
    const { challenge } = pkce();
    const browser = new PcBrowser();
    const visit = (changes: Record<string, string | undefined>, by = browser) =>
      by.visit(authorizeUrl(world.url, challenge, changes));

    const named = await visit({ provider: 'plain', method: 'open' });
    expect(named.location?.pathname).toBe('/iam/ui/sign-in');
    expect(named.location?.searchParams.get('provider')).toBe('plain');
    expect((await visit(choosing, new PcBrowser(userAgents.wechat))).location?.pathname).toBe(
      '/iam/ui/sign-in',
    );
    const asked = authorizeUrl(world.url, challenge, { provider: 'plain', display: 'widget' });
    const widget = await browser.visit(asked, { headers: scripted });
    expect([widget.status, widget.json()['code']]).toEqual([403, 'consent_required']);
  });

  it('takes the consent of its own page alone, and for one request alone', async () => {
    const browser = new PcBrowser();
    const [mine, another] = [pkce().challenge, pkce().challenge];
    const started = async (challenge: string) =>
      (await browser.visit(authorizeUrl(world.url, challenge, { provider: 'plain' }))).location?.pathname;

    const foreign = await agree(world, browser, mine, { from: 'https://evil.example' });
    expect([foreign.status, foreign.json()['code']]).toEqual([403, 'origin_forbidden']);
    expect((await agree(world, browser, 'short')).status).toBe(400);
    expect(await started(mine)).toBe('/iam/ui/sign-in');
    expect((await agree(world, browser, mine)).status).toBe(204);
    expect(await started(mine)).toBe('/connect/qrconnect');
    expect(await started(another)).toBe('/iam/ui/sign-in');
  });

  it('records what was agreed to, when and by whom, in the entry of the sign-in, by as many statements', async () => {
    const { url } = world.database;
    const before = z.array(z.unknown()).parse(await consentsOf(world)).length;

    expect((await signIn('甲')).status).toBe(200);
    expect((await signIn('乙', 'plain', 'en')).status).toBe(200);

    const entries = z.array(z.object({ user_id: z.uuid() }).loose()).parse(await consentsOf(world));
    const agreed_at = matching(/^20\d\d-.*Z$/);
    const entry = { action: 'user.signed_up', client_id: 'web', user_id: anyText };
    expect(entries.slice(before)).toEqual([
      { ...entry, consent: { terms: terms['zh-CN'], privacy, agreed_at } },
      { ...entry, consent: { terms: terms.en, privacy, agreed_at } },
    ]);
    const queries = countQueries(url);
    const mark = queries.mark();
    await signIn('丙');
    const withConsent = queries.since(mark).length;
    queries.stop();
    expect(withConsent).toBe(await statementsWithoutConsent());
  });

  /** Of the same sign-in at a site without terms. */
  async function statementsWithoutConsent(): Promise<number> {
    const plain = await startWorld({ create });
    const queries = countQueries(plain.database.url);
    const counts: number[] = [];
    for (const nickname of ['甲', '丙']) {
      const mark = queries.mark();
      const browser = new PcBrowser();
      const { verifier, challenge } = pkce();
      const { location } = await browser.visit(authorizeUrl(plain.url, challenge));
      const person = plain.wechat.person({ nickname });
      const returned = await browser.visit(await callbackAfterScan(plain.wechat, location ?? '', person));
      await redeem(plain.url, { browser, returned, verifier });
      counts.push(queries.since(mark).length);
    }
    queries.stop();
    await plain.close();
    return counts.at(-1) ?? 0;
  }

  /** The tokens of a scan on the page, in a browser that has agreed. */
  async function scanOnPage(browser: PcBrowser, client_id: string): Promise<Reply> {
    const { verifier, challenge } = pkce();
    await agree(world, browser, challenge);
    const asked = authorizeUrl(world.url, challenge, {
      client_id,
      method: 'follow',
      display: 'widget',
      from: 'chooser',
    });
    const widget = (await browser.visit(asked, { headers: scripted })).json();
    expect(widget).toEqual({ state: anyText, expires_in: 600 });
    const reply = await browser.visit(asked, { headers: scripted });
    const page = { base: world.url, browser, reply, verifier, state: String(widget['state']) };
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    const person = world.wechat.person({ nickname: '丁' });
    await scanAndFollow(world, person, qr);
    await decideOnPhone(world, person, 'confirm');

    const location = await leavePage(page, deviceCode);
    return redeem(world.url, { browser, returned: { ...reply, location }, verifier }, { client_id });
  }

  it('lets a person on to the next application without a page, as long as the terms and the follow hold', async () => {
    const [shop, blog] = [await registerSso(world), await registerSso(world)];
    const browser = new PcBrowser();

    const tokens = await scanOnPage(browser, shop);
    const entered = await start(world, browser, blog, { prompt: 'none' });
    await world.saveProvider({ qr_enabled: false });
    const otherwise = await start(world, browser, blog, { prompt: 'none' });
    await world.saveProvider({ qr_enabled: true });

    expect(tokens.status).toBe(200);
    expect([entered.code, otherwise.error]).toEqual([anyText, 'interaction_required']);
  });

  it.each([
    [{ name: '<b>\u202eOrders' }, { name: 'bOrders', logo: null }],
    [
      { name: 'Shop', logo_uri: 'https://a.example/l.png' },
      { name: 'Shop', logo: 'https://a.example/l.png' },
    ],
    // A part of the site whose name says nothing more; of a third party it says who it claims to be.
    [{ name: 'Camellia' }, null],
    [
      { name: 'Camellia', first_party: false, sso: false },
      { name: 'Camellia', logo: null },
    ],
  ])('names the application %j', async (members, application) => {
    const client_id = await registerSso(world, members);
    const query = new URLSearchParams({ client_id, redirect_uri: redirectUri(world.url) });

    const page = await new PcBrowser().visit(`${world.url}/iam/ui/sign-in?${query.toString()}`);

    expect(wordsIn(page)).toMatchObject({ application });
  });

  it('records it for a scan of the page too', async () => {
    expect((await scanOnPage(new PcBrowser(), 'web')).status).toBe(200);

    expect(
      z
        .array(z.unknown())
        .parse(await consentsOf(world))
        .at(-1),
    ).toMatchObject({
      action: 'user.signed_up',
      consent: { terms: terms['zh-CN'], privacy },
    });
  });

  it('records it with the account that a person is connected to later', async () => {
    const refused = await signIn('戊', 'members');
    expect(refused.json()['error']).toBe('binding_required');

    const { id } = await world.app
      .get(IamUsers)
      .bind(String(refused.json()['binding_token']), { externalId: 'member-1' });

    expect(
      z
        .array(z.unknown())
        .parse(await consentsOf(world))
        .slice(-2),
    ).toMatchObject([
      { action: 'login.authenticated', user_id: null, consent: { privacy } },
      { action: 'identity.linked', user_id: id, consent: { privacy } },
    ]);
  });
});

describe('a site that asks for consent on its own pages', () => {
  it('lets a sign-in pass that names its provider', async () => {
    const imports = [IamPagesModule.forRoot({ terms, requireConsent: false })];
    const world = await startWorld({ imports });

    const named = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge));
    const chosen = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, choosing));

    expect([named.location?.pathname, chosen.location?.pathname]).toEqual([
      '/connect/qrconnect',
      '/iam/ui/sign-in',
    ]);
    await world.close();
  });
});
