import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { IamRequest } from '../../src/http/iam-request.js';
import { SingleSignOn } from '../../src/oauth/single-sign-on.service.js';
import type { Attempt } from '../../src/sign-in/attempt-cookies.service.js';
import { Forgeries } from '../../src/database/forgeries.service.js';
import { BrowserSessions } from '../../src/sign-in/browser-sessions.service.js';
import { addApps, callMe, inApp, itemsOf, type Apps } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { ThirdParties } from '../support/consent.js';
import { redirectUri, startWorld } from '../support/iam-app.js';
import {
  addMiniPage,
  type MiniWorld,
  miniToken,
  postApproval,
  scanMiniCode,
  signInByMini,
} from '../support/mini.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { countWaiting, rowsOf } from '../support/rows.js';
import { post } from '../support/server-client.js';
import { onPc } from '../support/signed-in.js';
import { authorizeUrl, callbackAfterScan, pkce, type Tokens } from '../support/sign-in.js';
import { refreshOf, registerSso, signIn, start, tokensOf } from '../support/single-sign-on.js';
import { until } from '../support/until.js';
import {
  eventFields,
  post as push,
  sealed,
  startWebhookWorld,
  type WebhookWorld,
} from '../support/webhook.js';

/** Single sign-ons of one browser in a minute. */
const MOST_SILENT = 40;

describe('the session of a browser', () => {
  let world: WebhookWorld & MiniWorld;
  let apps: Apps;
  let admin: AdminClient;
  let parties: ThirdParties;
  let shop: string;
  let blog: string;

  beforeAll(async () => {
    const plain = await startWebhookWorld(
      {},
      {
        options: { ...adminOptions, rateLimits: { failuresPerAddressAndMinute: MOST_SILENT } },
        isBehindProxy: true,
      },
    );
    const added = await addApps(plain);
    world = await addMiniPage(plain, { qr_enabled: false });
    apps = { ...added, mini: world.mini };
    admin = new AdminClient(world.url);
    parties = new ThirdParties(world);
    [shop, blog] = [await registerSso(world), await registerSso(world)];
  });
  afterAll(() => world.close());

  const person = () => world.wechat.person({ nickname: '览' });
  const idTokenOf = (reply: Reply) => String(reply.json()['id_token']);
  const accessOf = (reply: Reply): Pick<Tokens, 'accessToken'> => ({
    accessToken: String(reply.json()['access_token']),
  });
  const subOf = (reply: Reply) => String(decodeJwt(accessOf(reply).accessToken).sub);
  /** A browser in which a person is signed in to the shop. */
  const signedIn = async (who = person(), changes: Readonly<Record<string, string>> = {}) => {
    const browser = new PcBrowser();
    const tokens = await tokensOf(world, await signIn(world, browser, who, shop, changes), shop);
    return { browser, who, tokens };
  };

  describe('gives an ID token with the nonce of the request, the same person and time of sign-in', () => {
    it.each<[string, (idToken: string) => Readonly<Record<string, string>>]>([
      ['oidcc-prompt-none-logged-in', () => ({ prompt: 'none' })],
      ['oidcc-max-age-10000', () => ({ max_age: '10000' })],
      ['oidcc-id-token-hint', (id_token_hint) => ({ prompt: 'none', id_token_hint })],
    ])('%s', async (_module, changesOf) => {
      const { browser, tokens } = await signedIn(person(), { scope: 'openid', nonce: 'first' });
      const idToken = idTokenOf(tokens);
      // `auth_time` counts seconds.
      await delay(1100);
      const request = { scope: 'openid', nonce: 'second', ...changesOf(idToken) };

      const entered = await tokensOf(world, await start(world, browser, shop, request), shop);

      const [first, second] = [decodeJwt(idToken), decodeJwt(idTokenOf(entered))];
      expect([idToken, idTokenOf(entered)].map((token) => decodeProtectedHeader(token).alg)).toEqual([
        'RS256',
        'RS256',
      ]);
      expect(second.iat).toBeGreaterThan(Number(first.iat));
      expect([first['nonce'], typeof first['auth_time']]).toEqual(['first', 'number']);
      expect(second).toMatchObject({
        iss: world.url,
        sub: first.sub,
        aud: shop,
        nonce: 'second',
        auth_time: first['auth_time'],
      });
    });

    it('but none where the person must be asked and may not', async () => {
      const { browser } = await signedIn();

      const silent = await start(world, browser, shop, { scope: 'openid', prompt: 'none', max_age: '0' });

      expect([silent.code, silent.error]).toEqual([null, 'login_required']);
    });
  });

  it('costs a statement more to enter where a person has agreed, and another one where the request was pushed', async () => {
    const who = person();
    const partner = await parties.register({ sso: true });
    await parties.agree(partner, who, 'openid');
    const { browser } = await signedIn(who);
    const { challenge: code_challenge } = pkce();
    const pushed = await post(`${world.url}/iam/par`, {
      ...{ client_id: partner, response_type: 'code', redirect_uri: redirectUri(world.url), scope: 'openid' },
      ...{ code_challenge, code_challenge_method: 'S256' },
    });
    const request = new URLSearchParams({
      client_id: partner,
      request_uri: String(pushed.json()['request_uri']),
    });
    const counter = countQueries(world.database.url);
    const count = async (visit: Promise<unknown>) => {
      const mark = counter.mark();
      await visit;
      return counter.since(mark).filter((text) => !isHousekeeping(text)).length;
    };

    const entering = start(world, browser, partner, { scope: 'openid' });
    const ofAuthorize = await count(entering);
    const ofToken = await count(tokensOf(world, await entering, partner));
    const enteringPushed = browser.visit(`${world.url}/iam/authorize?${request.toString()}`);
    const ofPushed = await count(enteringPushed);
    counter.stop();

    expect([(await entering).isBack, (await enteringPushed).location?.searchParams.has('code')]).toEqual([
      true,
      true,
    ]);
    expect([ofAuthorize, ofToken, ofPushed]).toEqual([2, 1, 3]);
  });

  it('gives so many codes in a minute to a page that polls with prompt=none, and leaves nothing where it gives none', async () => {
    const [polled, other, gone] = [await signedIn(), await signedIn(), await signedIn()];
    const silently = (browser: PcBrowser, changes: Readonly<Record<string, string>> = {}) =>
      start(world, browser, blog, { prompt: 'none', ...changes });
    const traces = () =>
      rowsOf(
        world.dataSource,
        'SELECT (SELECT count(*)::int FROM iam.logins) AS logins, (SELECT count(*)::int FROM iam.audit_log) AS entries',
      );
    await admin.delete(`users/${subOf(gone.tokens)}/sessions`);

    const codes = [];
    for (let times = 0; times < MOST_SILENT; times += 1) codes.push((await silently(polled.browser)).code);
    const before = await traces();
    const url = authorizeUrl(world.url, pkce().challenge, { client_id: blog, prompt: 'none' });
    const elsewhere = await polled.browser.visit(url, { headers: { 'x-forwarded-for': '2001:db8::7' } });
    const refused = [
      await silently(polled.browser),
      await silently(new PcBrowser()),
      await silently(gone.browser),
      await silently(other.browser, { max_age: '0' }),
    ];
    const after = await traces();

    expect(codes.filter((code) => code !== null)).toHaveLength(MOST_SILENT);
    expect(elsewhere.location?.searchParams.get('error')).toBe('slow_down');
    expect(refused.map(({ error }) => error)).toEqual([
      'slow_down',
      ...['login_required', 'login_required', 'login_required'],
    ]);
    expect(after).toEqual(before);
    expect((await silently(other.browser)).code).not.toBeNull();
  });

  it('counts apart from guesses, so that no number of browsers has a guesser forgotten', () => {
    const forgeries = world.app.get(Forgeries);
    const origin = { ip: '203.0.113.7', userAgent: null };
    const times = (most: number) => Array.from({ length: most }, (_, n) => n);
    const enter = (browser: string) => forgeries.count(origin, browser, 'single_sign_on');

    times(MOST_SILENT).forEach(() => forgeries.count(origin));
    times(10_000).forEach((n) => enter(`browser-${n}`));
    times(MOST_SILENT).forEach(() => enter('polled'));

    expect(() => forgeries.count(origin)).toThrow('limit "failures:');
    expect(() => enter('polled')).toThrow('limit "single_sign_on:');
  });

  it('goes on at an application to which the person agrees a second time meanwhile', async () => {
    const id = await parties.register();
    const signIn = await parties.agree(id, world.wechat.person({ nickname: '小兰' }));
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT 1 FROM iam.logins WHERE client_id = $1 FOR NO KEY UPDATE', [id]);

    const redeeming = parties.tokens(id, signIn);
    await until('it waits for the login', async () => (await countWaiting(world.dataSource)) === 1);
    const given: unknown = await runner
      .query('SELECT 1 FROM iam.consents WHERE client_id = $1 FOR NO KEY UPDATE NOWAIT', [id])
      .catch(String);
    await runner.commitTransaction();
    await runner.release();

    expect(given).toHaveLength(1);
    expect((await redeeming).status).toBe(200);
  });

  it('begins anew where it ends while a sign-in returns', async () => {
    const { browser, who, tokens } = await signedIn();
    const cookies = Object.fromEntries(
      (await browser.jar.getCookies(world.url)).map(({ key, value }) => [key, decodeURIComponent(value)]),
    );
    const other = await signIn(world, new PcBrowser(), who, 'web');
    const [, loginId = ''] = (other.returned.location?.searchParams.get('code') ?? '').split('.');
    const runner = world.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT FROM iam.users WHERE id = $1 FOR UPDATE', [subOf(tokens)]);
    await runner.query(
      "UPDATE iam.browser_sessions SET ended_at = now(), end_reason = 'signed_out' WHERE user_id = $1",
      [subOf(tokens)],
    );

    const origin = { ip: null, userAgent: null };
    const beginning = world.app
      .get(BrowserSessions, { strict: false })
      .begin({ loginId, hasFollowed: false }, { cookies, origin });
    await until('it waits for the user', async () => (await countWaiting(world.dataSource)) === 1);
    await runner.commitTransaction();
    await runner.release();

    expect(await beginning).toHaveLength(1);
    expect(
      await rowsOf(
        world.dataSource,
        'SELECT b.ended_at FROM iam.logins l JOIN iam.browser_sessions b ON b.id = l.browser_session_id WHERE l.id = $1',
        [loginId],
      ),
    ).toEqual([{ ended_at: null }]);
  });

  it('does not begin where the way back fails, whose answer hands out no cookie', async () => {
    const client_id = await parties.register();
    const { returned } = await parties.come(client_id, person());
    const loginId = returned.location?.searchParams.get('login') ?? '';
    const patched = await admin.patch(`clients/${client_id}`, { sso: true });
    const clientState = '\u0001'.repeat(1024);
    const origin = { ip: null, userAgent: null };
    const request = { cookies: {}, origin } as unknown as IamRequest;
    const attempt = { clientId: client_id, redirectUri: redirectUri(world.url), clientState } as Attempt;

    const arriving = world.app.get(SingleSignOn, { strict: false }).arrive({ loginId, attempt, request });

    expect(patched.status).toBe(200);
    await expect(arriving).rejects.toMatchObject({ code: 'invalid_request' });
    expect(
      await rowsOf(world.dataSource, 'SELECT browser_session_id FROM iam.logins WHERE id = $1', [loginId]),
    ).toEqual([{ browser_session_id: null }]);
  });

  describe('ends, with what was born from it,', () => {
    const endings: Record<
      string,
      [string, (first: Awaited<ReturnType<typeof signedIn>>) => Promise<unknown>]
    > = {
      'when the person unlinks the identity by which they came': [
        'identity_unlinked',
        async ({ who }) => {
          const mini = await inApp(world, who, apps, 'mini');
          const identities = itemsOf(await callMe(world, mini, '/identities'));
          const id = identities.find(({ kind }) => kind === 'open')?.['id'];
          const reply = await callMe(world, mini, `/identities/${String(id)}`, { method: 'DELETE' });
          if (reply.status >= 300) throw new Error(reply.text);
        },
      ],
      'when WeChat says that the person has revoked the authorization': [
        'authorization_revoked',
        async ({ who, tokens }) => {
          const fields = { AppID: world.site.appid, OpenID: who.openid(world.site), RevokeInfo: '301' };
          const event = eventFields('user_authorization_revoke', 'oWeChat', fields);
          await push(world.webhook, sealed(event, world));
          const ended = 'SELECT FROM iam.browser_sessions WHERE user_id = $1 AND ended_at IS NOT NULL';
          await until(
            'the push is worked off',
            async () => (await rowsOf(world.dataSource, ended, [subOf(tokens)])).length > 0,
          );
        },
      ],
      'when its user is merged into an older one': [
        'merged',
        async ({ tokens }) => {
          const reply = await admin.post(`users/${older}/merge`, { other: subOf(tokens), force: true });
          if (reply.status !== 200) throw new Error(reply.text);
        },
      ],
    };
    let older: string;
    beforeAll(async () => {
      older = (await onPc(world, person())).id;
    });

    it.each(Object.entries(endings))('%s', async (_name, [reason, end]) => {
      const first = await signedIn();
      const { browser, tokens } = first;
      const before = await start(world, browser, blog);
      const ofBlog = await tokensOf(world, before, blog);
      const waiting = await start(world, browser, blog);

      await end(first);

      const refused = [await refreshOf(world, tokens, shop), await refreshOf(world, ofBlog, blog)];
      const late = await tokensOf(world, waiting, blog);
      expect([before.isBack, ofBlog.status, waiting.isBack]).toEqual([true, 200, true]);
      expect(refused.map((reply) => reply.json()['error'])).toEqual(refused.map(() => 'invalid_grant'));
      // A code that waits is of the user who stays, since a sign-in itself can merge two users; the browser of the other one is not.
      if (reason === 'merged')
        expect(
          await rowsOf(
            world.dataSource,
            'SELECT user_id, browser_session_id FROM iam.sessions WHERE id = $1',
            [decodeJwt(accessOf(late).accessToken)['sid']],
          ),
        ).toEqual([{ user_id: older, browser_session_id: null }]);
      else expect(late.json()['error']).toBe('invalid_grant');
      expect((await start(world, browser, blog)).isBack).toBe(false);
      expect(
        await rowsOf(world.dataSource, 'SELECT end_reason FROM iam.browser_sessions WHERE user_id = $1', [
          subOf(tokens),
        ]),
      ).toEqual([{ end_reason: reason }]);
    });
  });

  it('lets no other device in where a scan began it, by a code that waited while its user was merged', async () => {
    const { mini } = world;
    await world.saveProvider({ qr_enabled: true });
    const [stays, goes] = [person(), person()];
    const older = decodeJwt(await miniToken(world, stays, mini)).sub;
    const { browser } = await signInByMini(world, goes, shop);
    const other = decodeJwt(await miniToken(world, goes, mini)).sub;
    const { approval } = await scanMiniCode(world, goes);
    const waiting = await start(world, browser, blog);
    const merged = await admin.post(`users/${String(older)}/merge`, { other, force: true });

    const { accessToken } = accessOf(await tokensOf(world, waiting, blog));
    const approved = await postApproval(world.url, accessToken, { decision: 'confirm' }, approval.id);

    expect([merged.status, decodeJwt(accessToken).sub]).toEqual([200, older]);
    expect([approved.status, approved.json()['code']]).toEqual([403, 'approval_forbidden']);
  });
});

it('the session of a browser is kept on https in a cookie of the whole host alone, and one without the prefix is ignored', async () => {
  const publicUrl = 'https://app.example.com';
  const world = await startWorld({
    options: { ...adminOptions, publicUrl, wechat: { allowLoopback: true } },
  });
  const site = world.account.websiteApp({ callbackDomain: 'app.example.com' });
  await world.saveProvider({ open_app_id: site.appid, open_app_secret: site.secret });
  const redirect_uri = redirectUri(publicUrl);
  const id = await registerSso(world, { redirect_uris: [redirect_uri] });
  const browser = new PcBrowser();
  const { returned: begun } = await start(world, browser, id, { redirect_uri });
  const person = world.wechat.person({ nickname: '览' });
  const callback = new URL(await callbackAfterScan(world.wechat, begun.location ?? '', person));
  const url = authorizeUrl(world.url, pkce().challenge, { client_id: id, redirect_uri, prompt: 'none' });

  const returned = await browser.visit(`${world.url}${callback.pathname}${callback.search}`);
  const headers = returned.headers.getSetCookie().filter((header) => header.includes('iam-browser='));
  const [pair = '', ...attributes] = headers[0]?.split('; ') ?? [];
  const [own, plain] = [
    await new PcBrowser().visit(url, { headers: { cookie: pair } }),
    await new PcBrowser().visit(url, { headers: { cookie: pair.replace('__Host-', '') } }),
  ];
  await world.close();

  expect(headers).toHaveLength(1);
  expect(pair).toMatch(/^__Host-iam-browser=sealed/);
  expect(attributes.filter((attribute) => !attribute.startsWith('Max-Age=')).sort()).toEqual([
    'HttpOnly',
    'Path=/',
    'SameSite=Lax',
    'Secure',
  ]);
  expect(own.location?.searchParams.has('code')).toBe(true);
  expect(plain.location?.searchParams.get('error')).toBe('login_required');
});
