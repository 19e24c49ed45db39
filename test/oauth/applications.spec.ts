import { clientGrants } from '../../src/oauth/clients/client-columns.js';
import { TokenGrants } from '../../src/oauth/registration.js';
import { addApps, type Apps, handIn } from '../support/account.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { refreshByCookie, signInWithCookies } from '../support/cookie-client.js';
import { scanAndFollow } from '../support/follow.js';
import { type IamApp, redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { basic, post } from '../support/server-client.js';
import { approveOnPc, authorizeUrl, type PcSignIn, pkce, redeem, returnFromPc } from '../support/sign-in.js';
import { until } from '../support/until.js';

const deviceCode = 'urn:ietf:params:oauth:grant-type:device_code';
const miniProgram = 'urn:wechat:grant:mini_program';
const encodingAesKey = 'a'.repeat(43);
const scans = {
  slug: 'scans',
  mp_token: 'tokenofthescans',
  mp_encoding_aes_key: encodingAesKey,
  qr_enabled: true,
  qr_confirmation: 'none',
} as const;

describe('applications in the database', () => {
  let world: World;
  let apps: Apps;
  let admin: AdminClient;
  let replica: IamApp;
  let created = 0;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    apps = await addApps(world);
    await world.saveProvider({
      slug: 'second',
      open_app_id: world.site.appid,
      open_app_secret: world.site.secret,
    });
    await world.saveProvider({
      ...scans,
      mp_app_id: world.oa.appid,
      mp_app_secret: world.oa.secret,
    });
    admin = new AdminClient(world.url);
    replica = await startReplica(world, { options: adminOptions });
  });
  afterAll(() => replica.close().finally(() => world.close()));

  const register = async (members: Readonly<Record<string, unknown>> = {}) => {
    created += 1;
    const id = `app-${created}`;
    const reply = await admin.post('clients', { id, redirect_uris: [redirectUri(world.url)], ...members });
    if (reply.status !== 201) throw new Error(reply.text);
    return id;
  };
  const confidential = async (members: Readonly<Record<string, unknown>> = {}) => {
    const id = await register({ type: 'confidential', ...members });
    return { id, secret: await rotate(id) };
  };
  const rotate = async (id: string) => {
    const reply = await admin.post(`clients/${id}/rotate`, {}, '*');
    return String(reply.json()['secret']);
  };
  const startScan = async () => {
    const id = await register({ grants: [deviceCode, 'refresh_token'], redirect_uris: [] });
    const form = { client_id: id, provider: 'scans' };
    return { id, started: await new PcBrowser().visit(`${world.url}/iam/device_authorization`, { form }) };
  };
  const person = () => world.wechat.person({ nickname: '客' });
  const returned = (client_id: string) => returnFromPc(world, person(), { client_id });
  const tokenRequest = (
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
    url = world.url,
  ): Promise<Reply> => post(`${url}/iam/token`, form, headers);
  const refresh = (client_id: string, refresh_token: unknown, url = world.url) =>
    tokenRequest({ grant_type: 'refresh_token', client_id, refresh_token: String(refresh_token) }, {}, url);
  const codeForm = ({ returned: reply, verifier }: PcSignIn) => ({
    grant_type: 'authorization_code',
    code: reply.location?.searchParams.get('code') ?? '',
    redirect_uri: redirectUri(world.url),
    code_verifier: verifier,
  });
  const outcome = (reply: Reply) => [reply.status, reply.json()['error'], reply.json()['code']];

  describe('for people', () => {
    it('are signed in to at once, here and on every replica', async () => {
      const id = await register();

      const here = await redeem(world.url, await returned(id), { client_id: id });
      await until('the other replica knows it', async () => {
        const reply = await new PcBrowser().visit(
          authorizeUrl(replica.url, pkce().challenge, {
            client_id: id,
            redirect_uri: redirectUri(world.url),
          }),
        );
        return reply.status === 302;
      });
      const renewed = await refresh(id, here.json()['refresh_token'], replica.url);

      expect([here.status, renewed.status]).toEqual([200, 200]);
    });

    it('have their name on the page where a code of a device is typed', async () => {
      const { id, started } = await startScan();
      await admin.patch(`clients/${id}`, { name: '茶馆的电视' });
      const browser = new PcBrowser();

      const form = { user_code: String(started.json()['user_code']) };
      const { location } = await browser.visit(`${world.url}/iam/device`, { form, from: world.url });
      const page = await browser.visit(location ?? '');

      expect(page.text).toContain('<dd>茶馆的电视</dd>');
    });

    it('redeem no code of another one', async () => {
      const [one, other] = [await register(), await register()];

      const reply = await redeem(world.url, await returned(one), { client_id: other });

      expect(outcome(reply)).toEqual([400, 'invalid_grant', 'invalid_grant']);
    });

    it('are refused everywhere once they are disabled, also in the middle of a sign-in, and work again later', async () => {
      const id = await register();
      const signedIn = await redeem(world.url, await returned(id), { client_id: id });
      const [before, waiting] = [await approveOnPc(world, person(), { client_id: id }), await returned(id)];
      await admin.patch(`clients/${id}`, { enabled: false });

      const start = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { client_id: id }));
      const callback = await before.browser.visit(before.callback);
      const device = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
        form: { client_id: id, provider: 'wechat' },
      });
      const refused = [
        await redeem(world.url, waiting, { client_id: id }),
        await refresh(id, signedIn.json()['refresh_token']),
        device,
      ];
      await admin.patch(`clients/${id}`, { enabled: true });

      expect([start.status, start.text]).toEqual([400, expect.stringContaining('client_disabled')]);
      expect(callback.location?.searchParams.get('error')).toBe('unauthorized_client');
      expect(refused.map(outcome)).toEqual(
        refused.map(() => [400, 'unauthorized_client', 'client_disabled']),
      );
      expect((await refresh(id, signedIn.json()['refresh_token'])).status).toBe(200);
    });

    it('leave nothing to an application that gets their id later', async () => {
      const id = await register();
      const signedIn = await redeem(world.url, await returned(id), { client_id: id });
      const waiting = await returned(id);
      const removed = await admin.delete(`clients/${id}`);
      const gone = await refresh(id, signedIn.json()['refresh_token']);
      await admin.post('clients', { id, redirect_uris: [redirectUri(world.url)] });

      expect([removed.status, ...outcome(gone)]).toEqual([204, 401, 'invalid_client', 'invalid_client']);
      expect(outcome(await redeem(world.url, waiting, { client_id: id }))[1]).toBe('invalid_grant');
      expect(outcome(await refresh(id, signedIn.json()['refresh_token']))[1]).toBe('invalid_grant');
      expect((await redeem(world.url, await returned(id), { client_id: id })).status).toBe(200);
    });

    it('leave it no device code either', async () => {
      const { id, started } = await startScan();
      const device_code = String(started.json()['device_code']);
      const poll = () => tokenRequest({ grant_type: deviceCode, client_id: id, device_code });
      const before = await poll();
      await admin.delete(`clients/${id}`);
      await admin.post('clients', { id, grants: [deviceCode] });

      expect(outcome(before)[1]).toBe('authorization_pending');
      expect(outcome(await poll())[1]).toBe('invalid_grant');
    });

    it('share the session of a browser that began before they were registered', async () => {
      const cookies = { tokens: 'cookie', redirect_uris: ['https://shop.example/signed-in'] };
      const first = await register(cookies);
      const browser = new PcBrowser();
      await signInWithCookies(world, person(), browser, { clientId: first });
      const second = await register(cookies);

      expect((await refreshByCookie(world.url, browser, { clientId: second })).status).toBe(200);
      expect((await refreshByCookie(world.url, browser, { clientId: first })).status).toBe(200);
    });

    it('refuse what began at an earlier application, whichever of those with cookies asks', async () => {
      const cookies = { tokens: 'cookie', redirect_uris: ['https://shop.example/signed-in'] };
      const [first, second] = [await register(cookies), await register(cookies)];
      const browser = new PcBrowser();
      await signInWithCookies(world, person(), browser, { clientId: first });
      const before = await refreshByCookie(world.url, browser, { clientId: second });
      await admin.delete(`clients/${first}`);
      await admin.post('clients', { id: first, ...cookies });

      const after = await refreshByCookie(world.url, browser, { clientId: second });

      expect(before.status).toBe(200);
      expect(outcome(after)).toEqual([400, 'invalid_grant', 'invalid_grant']);
    });

    it('use no grant but their own', async () => {
      const onlyDevice = await register({ grants: [deviceCode], redirect_uris: [] });
      const noRefresh = await register({ grants: ['authorization_code', miniProgram] });
      const url = authorizeUrl(world.url, pkce().challenge, { client_id: noRefresh });

      const start = await new PcBrowser().visit(url);
      const mismatch = await new PcBrowser().visit(
        authorizeUrl(world.url, pkce().challenge, { client_id: onlyDevice }),
      );
      const tokens = await redeem(world.url, await returned(noRefresh), { client_id: noRefresh });
      const codes = [
        await refresh(noRefresh, 'any'),
        await tokenRequest({ grant_type: deviceCode, client_id: noRefresh, device_code: 'any' }),
        await tokenRequest({ grant_type: miniProgram, client_id: onlyDevice, provider: 'wechat', code: 'x' }),
      ];

      expect([start.status, mismatch.status]).toEqual([302, 400]);
      expect(Object.keys(tokens.json())).not.toContain('refresh_token');
      expect(codes.map((reply) => outcome(reply)[2])).toEqual(codes.map(() => 'unauthorized_client'));
    });

    it('have a list of grants that is all there are', () => {
      expect([...clientGrants].sort()).toEqual(world.app.get(TokenGrants).types());
    });
  });

  describe('with providers of their own', () => {
    it('offer and start no other one', async () => {
      const id = await register({
        providers: ['second'],
        grants: ['authorization_code', deviceCode, miniProgram],
      });
      const providersOf = async (query: string) => {
        const { providers } = (await new PcBrowser().visit(`${world.url}/iam/providers${query}`)).json();
        return Array.isArray(providers) ? providers.map((each: { slug: string }) => each.slug) : null;
      };

      const offered = [await providersOf(''), await providersOf(`?client_id=${id}`)];
      const start = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { client_id: id }));
      const allowed = await new PcBrowser().visit(
        authorizeUrl(world.url, pkce().challenge, { client_id: id, provider: 'second' }),
      );
      const mini = await tokenRequest({
        grant_type: miniProgram,
        client_id: id,
        provider: 'wechat',
        code: person().wxLogin(apps.mini),
      });
      const device = await new PcBrowser().visit(`${world.url}/iam/device_authorization`, {
        form: { client_id: id, provider: 'wechat' },
      });

      expect(offered).toEqual([['scans', 'second', 'wechat'], ['second']]);
      expect(start.location?.searchParams.get('error')).toBe('unauthorized_client');
      expect(allowed.location?.href).toContain('/connect/qrconnect');
      expect([mini, device].map((reply) => outcome(reply)[2])).toEqual([
        'unauthorized_client',
        'unauthorized_client',
      ]);
      expect((await handIn(world, 'mini', person().wxLogin(apps.mini))).status).toBe(200);
    });

    it('refuse a sign-in that is under way, its code and its refresh once the list has changed', async () => {
      const id = await register();
      const signedIn = await redeem(world.url, await returned(id), { client_id: id });
      const [before, waiting] = [await approveOnPc(world, person(), { client_id: id }), await returned(id)];
      await admin.patch(`clients/${id}`, { providers: ['second'] });

      const callback = await before.browser.visit(before.callback);
      const code = await redeem(world.url, waiting, { client_id: id });
      const renewed = await refresh(id, signedIn.json()['refresh_token']);
      await admin.patch(`clients/${id}`, { providers: [] });

      expect(callback.location?.searchParams.get('error')).toBe('unauthorized_client');
      expect([code, renewed].map((reply) => outcome(reply)[1])).toEqual(['invalid_grant', 'invalid_grant']);
      expect((await refresh(id, signedIn.json()['refresh_token'])).status).toBe(200);
    });

    it('refuse a scan that was confirmed before the list changed', async () => {
      const url = `${world.url}/iam/webhook/scans`;
      world.oa.configureServer({ url, token: scans.mp_token, encodingAesKey, mode: 'safe' });
      const { id, started } = await startScan();
      await scanAndFollow(world, person(), String(started.json()['verification_uri_complete']));
      const device_code = String(started.json()['device_code']);
      const collect = () => tokenRequest({ grant_type: deviceCode, client_id: id, device_code });
      await admin.patch(`clients/${id}`, { providers: ['second'] });

      const refused = await collect();
      await admin.patch(`clients/${id}`, { providers: ['scans'] });

      expect(outcome(refused)).toEqual([400, 'unauthorized_client', 'unauthorized_client']);
      await until('the scan is there', async () => (await collect()).status === 200);
    });

    it('take no provider that there is not', async () => {
      const id = await register();

      const replies = [
        await admin.patch(`clients/${id}`, { providers: ['secnod'] }),
        await admin.post('clients', {
          id: 'misspelt',
          providers: ['none'],
          redirect_uris: ['https://a.test/'],
        }),
      ];

      expect(replies.map(({ code }) => code)).toEqual(['invalid_request', 'invalid_request']);
      expect(
        await valueOf(world.dataSource, `SELECT count(*)::int FROM iam.clients WHERE id = 'misspelt'`),
      ).toBe(0);
    });
  });

  describe('that are servers', () => {
    it('prove themselves by Basic or in the body, and otherwise get no tokens', async () => {
      const { id, secret } = await confidential();
      const form = async () => codeForm(await returned(id));

      const byBasic = await tokenRequest(await form(), basic(id, secret));
      const byPost = await tokenRequest({ ...(await form()), client_id: id, client_secret: secret });
      const good = await form();
      const refused = [
        await tokenRequest({ ...good, client_id: id }),
        await tokenRequest({ ...good, client_id: id, client_secret: `${secret}x` }),
        await tokenRequest(good, basic(id, 'wrong')),
        await tokenRequest({ ...good, client_id: id }, { authorization: 'Basic ???' }),
      ];
      const twice = [
        await tokenRequest({ ...good, client_id: id, client_secret: secret }, basic(id, secret)),
        await tokenRequest({ ...good, client_id: id }, basic('web', secret)),
      ];

      expect([byBasic.status, byPost.status]).toEqual([200, 200]);
      expect(refused.map(outcome)).toEqual(refused.map(() => [401, 'invalid_client', 'invalid_client']));
      expect(refused.map(({ headers }) => headers.get('www-authenticate'))).toEqual(
        refused.map(() => 'Basic realm="iam"'),
      );
      expect(twice.map((reply) => outcome(reply)[1])).toEqual(['invalid_request', 'invalid_request']);
      expect((await tokenRequest(good, basic(id, secret))).status).toBe(200);
    });

    it('prove themselves to refresh, to revoke and to ask for a device code', async () => {
      const { id, secret } = await confidential({
        grants: ['authorization_code', 'refresh_token', deviceCode],
      });
      const tokens = await tokenRequest(codeForm(await returned(id)), basic(id, secret));
      const refresh_token = String(tokens.json()['refresh_token']);
      const visit = (path: string, form: Readonly<Record<string, string>>, headers = {}) =>
        new PcBrowser().visit(`${world.url}/iam/${path}`, { form, headers });
      const requests = [
        ['token', { grant_type: 'refresh_token', refresh_token }],
        ['device_authorization', { provider: 'second' }],
        ['revoke', { token: refresh_token }],
      ] as const;

      const without = [];
      for (const [path, form] of requests) without.push(await visit(path, { ...form, client_id: id }));
      const proven = [];
      for (const [path, form] of requests) proven.push(await visit(path, form, basic(id, secret)));

      expect(without.map(({ status }) => status)).toEqual([401, 401, 401]);
      expect(proven.map((reply) => [reply.status, reply.text.includes('invalid_client')])).toEqual([
        [200, false],
        [400, false],
        [200, false],
      ]);
    });

    it('have an old and a new secret until the old one is cleared', async () => {
      const { id, secret: old } = await confidential();
      const current = await rotate(id);
      const works = async (secret: string) =>
        (await tokenRequest(codeForm(await returned(id)), basic(id, secret))).status;

      const both = [await works(old), await works(current)];
      const third = await admin.post(`clients/${id}/rotate`, {}, '*');
      const cleared = await admin.delete(`clients/${id}/previous_secret`);
      const after = [await works(old), await works(current)];

      expect(both).toEqual([200, 200]);
      expect([third.status, third.code]).toEqual([409, 'in_use']);
      expect(cleared.json()).toMatchObject({ has_secret: true, has_previous_secret: false });
      expect(after).toEqual([401, 200]);
    });

    it('have no secret before the first rotation, and show none later', async () => {
      const id = await register({ type: 'confidential' });
      const before = await tokenRequest({
        ...codeForm(await returned(id)),
        client_id: id,
        client_secret: 'x',
      });
      const secret = await rotate(id);
      const shown = [await admin.get(`clients/${id}`), await admin.get('clients?limit=100')];
      const stored = await rowsOf(
        world.dataSource,
        'SELECT c::text AS line FROM iam.clients c WHERE id = $1',
        [id],
      );
      const audit = await rowsOf(
        world.dataSource,
        `SELECT a::text AS line FROM iam.audit_log a WHERE client_id = $1 AND action LIKE 'client.%'`,
        [id],
      );

      expect(outcome(before)[1]).toBe('invalid_client');
      expect(secret).toMatch(/^iamcs_[A-Za-z0-9]{44}$/);
      for (const text of [
        ...shown.map((reply) => reply.text),
        ...[...stored, ...audit].map(({ line }) => String(line)),
      ])
        expect(text).not.toContain(secret);
      expect(audit).toHaveLength(2);
    });
  });
});
