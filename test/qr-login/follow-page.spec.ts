import { untilSeen } from '../support/event-stream.js';
import {
  codesOf,
  finishOnPage,
  leavePage,
  openFollowPage,
  redeemFromPage,
  startOnPage,
} from '../support/follow-page.js';
import { decideOnPhone, poll, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { redirectUri, type World } from '../support/iam-app.js';
import { PcBrowser, userAgents } from '../support/pc-browser.js';
import { countQueries } from '../support/query-counter.js';
import { rowsOf } from '../support/rows.js';
import { authorizeUrl, callbackAfterScan, getWith, pkce, toTokens } from '../support/sign-in.js';

const back = 'https://orders.example/back';
const english = { 'accept-language': 'en-GB,en;q=0.9' };

describe('the page that shows the Official Account’s QR code', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld(
      { qr_confirmation: 'tap' },
      {
        options: {
          siteName: '小店 <b>',
          rateLimits: 'off',
          clients: [
            { id: 'orders', name: '订单 & "x"', redirectUris: [back] },
            { id: '0d5c1f0a-6d3e-4b51-9c43-5f1f6f6b7a10', redirectUris: [back] },
            { id: 'shop', name: '小店 <b>', redirectUris: [back] },
          ],
        },
      },
    );
  });
  afterAll(() => world.close());

  it('is what a PC gets, asked for or by itself, and not what a phone gets', async () => {
    const asked = await openFollowPage(world.url);
    const auto = await openFollowPage(world.url, { method: 'auto' });
    const unsaid = await openFollowPage(world.url, { method: undefined });
    const phone = await openFollowPage(world.url, { method: 'auto' }, new PcBrowser(userAgents.phone));
    const inWechat = await openFollowPage(world.url, { method: 'auto' }, new PcBrowser(userAgents.wechat));

    expect([asked, auto, unsaid].map(({ reply, state }) => [reply.status, state.length])).toEqual(
      Array.from({ length: 3 }, () => [200, 43]),
    );
    expect(phone.reply.location?.searchParams.get('error')).toBe('browser_unsupported');
    expect(inWechat.reply.location?.pathname).toBe('/connect/oauth2/authorize');
  });

  it('loads nothing from anybody and cannot be framed', async () => {
    const { reply } = await openFollowPage(world.url);

    const policy = reply.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.headers.get('referrer-policy')).toBe('no-referrer');
    expect(reply.text).not.toMatch(/(src|href|action)="?(https?:)?\/\//i);
  });

  it('speaks the reader’s language and escapes the site’s name', async () => {
    const zh = await openFollowPage(world.url);
    const en = await zh.browser.visit(authorizeUrl(world.url, pkce().challenge, { method: 'follow' }), {
      headers: english,
    });
    const { reply } = zh;

    expect(reply.text).toContain('<html lang="zh-CN">');
    expect(reply.text).toContain('小店 &#60;b&#62;');
    expect(reply.text).not.toContain('小店 <b>');
    expect(en.text).toContain('<html lang="en">');
    expect(en.text).toContain('Sign in with WeChat');
  });

  it('names the application that it signs in to', async () => {
    const { reply } = await openFollowPage(world.url, { client_id: 'orders', redirect_uri: back });

    expect(reply.text).toContain('<h1>微信扫码登录「订单 &#38; x」</h1>');
    expect(reply.text).toContain('<title>微信扫码登录「订单 &#38; x」 · 小店');
  });

  it.each([
    ['without a name of its own', '0d5c1f0a-6d3e-4b51-9c43-5f1f6f6b7a10'],
    ['with the site’s name', 'shop'],
  ])('is the site’s alone for an application %s', async (_what, client_id) => {
    const { reply } = await openFollowPage(world.url, { client_id, redirect_uri: back });

    expect(reply.text).toContain('<h1>微信扫码登录</h1>');
  });

  it('writes nothing on the GET, however often it is fetched', async () => {
    await openFollowPage(world.url);
    const counter = countQueries(world.database.url);

    for (let visits = 0; visits < 5; visits += 1) await openFollowPage(world.url);
    const statements = counter.since(0);
    counter.stop();

    expect(statements.filter((sql) => /\b(insert|update|delete)\b/i.test(sql))).toEqual([]);
    expect(world.wechat.calls('/cgi-bin/qrcode/create')).toEqual([]);
  });

  it('goes through pending, scanned and confirmed to the client, with a code', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const page = await openFollowPage(world.url);

    const started = await startOnPage(page);
    const { deviceCode, qr, eventsUri } = codesOf(started);
    const pending = await finishOnPage(page, deviceCode);
    await scanAndFollow(world, lan, qr);
    await untilSeen('scanned', eventsUri);
    const scanned = await finishOnPage(page, deviceCode);
    await decideOnPhone(world, lan, 'confirm');
    const location = await leavePage(page, deviceCode);
    const tokens = toTokens(await redeemFromPage(page, location));
    const me = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();

    expect(started.json()).toMatchObject({ expires_in: 300, interval: 2, confirmation: 'tap' });
    expect(String(started.json()['qr_image'])).toMatch(/^data:image\/svg\+xml;base64,/);
    expect(pending.json()).toMatchObject({ status: 'pending' });
    expect(scanned.json()).toMatchObject({ status: 'scanned' });
    expect(`${location.origin}${location.pathname}`).toBe(redirectUri(world.url));
    expect(Object.fromEntries(location.searchParams)).toMatchObject({
      state: 'client-state',
      iss: world.url,
    });
    expect(me).toMatchObject({ identities: [{ kind: 'mp' }] });
  });

  it('gives the same code to a page that asks twice, and one session for it', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(world, ming, qr);
    await decideOnPhone(world, ming, 'confirm');

    const first = await leavePage(page, deviceCode);
    const second = await leavePage(page, deviceCode);
    const redeemed = await redeemFromPage(page, first);
    const reused = await redeemFromPage(page, second);

    expect(second.href).toBe(first.href);
    expect([redeemed.status, reused.status]).toEqual([200, 200]);
    expect(reused.json()['refresh_token']).toBe(redeemed.json()['refresh_token']);
  });

  it('shows a denial and where to go back to', async () => {
    const hua = world.wechat.person({ nickname: '小华' });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr, eventsUri } = codesOf(await startOnPage(page));
    await scanAndFollow(world, hua, qr);
    await decideOnPhone(world, hua, 'deny');
    await untilSeen('denied', eventsUri);

    const { status, return_to: returnTo } = (await finishOnPage(page, deviceCode)).json();
    const back = new URL(String(returnTo));

    expect(status).toBe('denied');
    expect(`${back.origin}${back.pathname}`).toBe(redirectUri(world.url));
    expect(back.searchParams.get('error')).toBe('access_denied');
    expect(back.searchParams.get('state')).toBe('client-state');
  });

  it('shows an expiry, and takes a new code for the same attempt', async () => {
    const li = world.wechat.person({ nickname: '小李' });
    const page = await openFollowPage(world.url);
    const old = codesOf(await startOnPage(page));
    await world.dataSource.query(
      `UPDATE iam.logins SET redeem_before = now() - interval '1 second' WHERE status = 'pending'`,
    );
    await untilSeen('expired', old.eventsUri);

    const expired = await finishOnPage(page, old.deviceCode);
    const fresh = codesOf(await startOnPage(page));
    await scanAndFollow(world, li, fresh.qr);
    await decideOnPhone(world, li, 'confirm');
    const tokens = await redeemFromPage(page, await leavePage(page, fresh.deviceCode));

    expect(expired.json()['status']).toBe('expired');
    expect(fresh.deviceCode).not.toBe(old.deviceCode);
    expect(tokens.status).toBe(200);
  });

  it('answers no other browser, no other attempt and no invented code', async () => {
    const page = await openFollowPage(world.url);
    const other = await openFollowPage(world.url);
    const { deviceCode } = codesOf(await startOnPage(page));
    const stolen = { ...page, browser: new PcBrowser() };

    const replies = await Promise.all([
      startOnPage(stolen),
      finishOnPage(stolen, deviceCode),
      startOnPage({ ...page, state: other.state }),
      finishOnPage(other, deviceCode),
      finishOnPage(page, deviceCode.replace(/.$/, 'x')),
      startOnPage({ ...page, state: 'x'.repeat(43) }),
    ]);

    expect(replies.map((reply) => [reply.status, reply.json()['code']])).toEqual(
      Array.from({ length: 6 }, () => [400, 'state_mismatch']),
    );
  });

  it('sends its cookie with no cross-site POST', async () => {
    const { reply } = await openFollowPage(world.url);

    const cookies = reply.headers.getSetCookie();

    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatch(/; HttpOnly/i);
    expect(cookies[0]).toMatch(/; SameSite=(Lax|Strict)/i);
  });

  it('keeps its device code from the token endpoint, which would not ask for the code_verifier', async () => {
    const wang = world.wechat.person({ nickname: '小王' });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(world, wang, qr);
    await decideOnPhone(world, wang, 'confirm');
    await leavePage(page, deviceCode);

    const reply = await poll(world.url, { deviceCode });

    expect(reply.json()['error']).toBe('invalid_grant');
  });
});

describe('the endings of the page', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'none' });
  });
  afterAll(() => world.close());

  async function confirmed(nickname: string) {
    const person = world.wechat.person({ nickname });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(world, person, qr);
    return { person, page, location: await leavePage(page, deviceCode) };
  }

  it('is a refusal where the row takes nobody new', async () => {
    await world.saveProvider({ sign_up: 'off' });

    const { location } = await confirmed('新人');

    expect(location.searchParams.get('error')).toBe('access_denied');
    expect(await rowsOf(world.dataSource, 'SELECT 1 FROM iam.users')).toEqual([]);
  });

  it('is a code that becomes a binding token where the row wants an account of the host', async () => {
    await world.saveProvider({ sign_up: 'bind' });
    const person = world.wechat.person({ nickname: '旧人' });
    const page = await openFollowPage(world.url);
    const { deviceCode, qr } = codesOf(await startOnPage(page));
    await scanAndFollow(world, person, qr);
    await decideOnPhone(world, person, 'confirm');

    const location = await leavePage(page, deviceCode);
    const reply = await redeemFromPage(page, location);

    expect(reply.json()).toMatchObject({ error: 'binding_required', expires_in: 600 });
    expect(String(reply.json()['binding_token'])).not.toBe('undefined');
  });

  it('is the Open Platform where the row says so, and that is the identity', async () => {
    await world.saveProvider({ sign_up: 'auto', qr_login_with: 'open' });

    const { person, page, location } = await confirmed('开放');
    const start = await page.browser.visit(location);
    const returned = await page.browser.visit(
      await callbackAfterScan(world.wechat, String(start.location), person),
    );
    const tokens = toTokens(await redeemFromPage(page, returned.location ?? location));
    const me = (await getWith(`${world.url}/iam/me`, tokens.accessToken)).json();

    expect(location.pathname).toBe('/iam/authorize');
    expect(location.searchParams.get('follow_proof')).not.toBeNull();
    expect(start.location?.pathname).toBe('/connect/qrconnect');
    expect(me).toMatchObject({ identities: [{ kind: 'open' }] });
  });
});
