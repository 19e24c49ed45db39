import { addApps, type Apps } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { refreshByCookie, signInWithCookies, signOut } from '../support/cookie-client.js';
import { SkewedClock } from '../support/fake-clock.js';
import { codesOf, finishOnPage, openFollowPage, startOnPage } from '../support/follow-page.js';
import { redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { valueOf } from '../support/rows.js';
import { approveOnPc, authorizeUrl, pkce } from '../support/sign-in.js';
import { until } from '../support/until.js';

const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';

describe('applications that change', () => {
  let world: World;
  let apps: Apps;
  let admin: AdminClient;
  let created = 0;

  beforeAll(async () => {
    world = await startWorld({ options: { ...adminOptions, rateLimits: 'off' } });
    apps = await addApps(world);
    const { oa } = world;
    const page = {
      qr_enabled: true,
      qr_with: 'page',
      mp_app_id: oa.appid,
      mp_app_secret: oa.secret,
    } as const;
    await world.saveProvider({ slug: 'scans', name: 'scans', ...page });
    const site = { open_app_id: world.site.appid, open_app_secret: world.site.secret };
    await world.saveProvider({ slug: 'second', name: 'second', ...site });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const register = async (members: Readonly<Record<string, unknown>> = {}) => {
    created += 1;
    const id = `app-${created}`;
    const reply = await admin.post('clients', { id, redirect_uris: [redirectUri(world.url)], ...members });
    if (reply.status !== 201) throw new Error(reply.text);
    return id;
  };
  const person = () => world.wechat.person({ nickname: '客' });
  const outcome = (reply: Reply) => [reply.status, reply.json()['error'], reply.json()['code']];

  it('get nobody back at an address that was withdrawn meanwhile', async () => {
    const id = await register({ grants: ['authorization_code', deviceCode] });
    const before = await approveOnPc(world, person(), { client_id: id });
    const page = await openFollowPage(world.url, { client_id: id, provider: 'scans', method: 'page' });
    const { deviceCode: scan } = codesOf(await startOnPage(page));
    await admin.patch(`clients/${id}`, { redirect_uris: ['https://shop.example/signed-in'] });

    const callback = await before.browser.visit(before.callback);
    const finished = await finishOnPage(page, scan);

    expect([callback.status, callback.location]).toEqual([400, null]);
    expect(callback.text).toContain('redirect_uri_mismatch');
    expect([finished.status, finished.json()['code']]).toEqual([400, 'redirect_uri_mismatch']);
  });

  it('sign out of a session with cookies also once they are disabled', async () => {
    const id = await register({ tokens: 'cookie', redirect_uris: ['https://shop.example/signed-in'] });
    const browser = new PcBrowser();
    await signInWithCookies(world, person(), browser, { clientId: id });
    await admin.patch(`clients/${id}`, { enabled: false });

    const out = await signOut(world.url, browser, { clientId: id });

    expect(out.status).toBe(200);
    const live = 'SELECT count(*)::int FROM iam.sessions WHERE client_id = $1 AND ended_at IS NULL';
    expect(await valueOf(world.dataSource, live, [id])).toBe(0);
  });

  it('are read by a request, and by nothing else, where a process runs no loops', async () => {
    const clock = new SkewedClock(0);
    const quiet = await startReplica(world, { clock, options: { ...adminOptions, background: false } });
    const id = await register();
    const start = () =>
      new PcBrowser().visit(
        authorizeUrl(quiet.url, pkce().challenge, { client_id: id, redirect_uri: redirectUri(world.url) }),
      );

    const unknown = await start();
    clock.pass(5);
    const found = await start();
    await quiet.close();

    expect([unknown.status, found.status]).toEqual([400, 302]);
  });

  it('leave the session of a browser to the applications that share it', async () => {
    const cookies = { tokens: 'cookie', redirect_uris: ['https://shop.example/signed-in'] };
    const [first, second] = [await register(cookies), await register({ ...cookies, providers: ['second'] })];
    const browser = new PcBrowser();
    await signInWithCookies(world, person(), browser, { clientId: first });

    const refused = await refreshByCookie(world.url, browser, { clientId: second });

    expect(outcome(refused)).toEqual([400, 'invalid_grant', 'invalid_grant']);
    expect((await refreshByCookie(world.url, browser, { clientId: first })).status).toBe(200);
  });

  it.each(['page', 'mini'] as const)('start and end no scan of the way %s by another one', async (way) => {
    const slug = `scans-by-${way}`;
    await world.saveProvider({
      slug,
      name: slug,
      qr_enabled: true,
      qr_with: way,
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
      mini_app_id: apps.mini.appid,
      mini_app_secret: apps.mini.secret,
      mini_approval_page: 'pages/approve',
    });
    const id = await register({ providers: [slug], grants: ['authorization_code', deviceCode] });
    const form = { client_id: id, provider: slug };
    const ask = () => new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form });
    const page = await openFollowPage(world.url, { client_id: id, provider: slug, method: way });
    const { deviceCode: ofPage } = codesOf(await startOnPage(page));
    const { device_code } = (await ask()).json();
    await world.dataSource.query(
      `UPDATE iam.logins SET status = 'confirmed', openid = 'o', subject = '{}' WHERE client_id = $1`,
      [id],
    );
    await admin.patch(`clients/${id}`, { providers: ['second'] });

    const replies = [
      await ask(),
      await startOnPage(page),
      await new PcBrowser().visit(`${world.url}/iam/token`, {
        form: { grant_type: deviceCode, client_id: id, device_code: String(device_code) },
      }),
    ];
    await until('the page hears of the scan', async () => {
      const { status } = (await finishOnPage(page, ofPage)).json();
      return status === 'confirmed';
    });
    const { location } = (await finishOnPage(page, ofPage)).json();

    expect(replies.map((reply) => outcome(reply)[2])).toEqual(replies.map(() => 'unauthorized_client'));
    expect(new URL(String(location)).searchParams.get('error')).toBe('unauthorized_client');
  });
});
