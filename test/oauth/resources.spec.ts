import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { AllowMachines, IamGuard } from '../../src/index.js';
import { Jwts } from '../../src/sessions/jwts.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { type IamApp, redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { addServer, basic, post, refusalOf } from '../support/server-client.js';
import { authorizeUrl, callbackAfterScan, getWith, pkce } from '../support/sign-in.js';

const [orders, stock, closed] = [
  'https://api.example.com/orders',
  'https://stock.example.com',
  'https://api.example.com/closed',
];
const resources = [
  { identifier: orders, client: 'orders', name: '订单', scopes: ['profile'] },
  { identifier: stock },
  { identifier: closed },
];
const options = { ...adminOptions, resources };

describe('access tokens for other APIs', () => {
  let world: World;
  let admin: AdminClient;
  let id: string;
  let secret: string;
  let api: ReturnType<typeof basic>;

  beforeAll(async () => {
    world = await startWorld({ options });
    admin = new AdminClient(world.url);
    ({ id, secret } = await add([orders, stock]));
    const server = await addServer(admin, { id: 'orders', grants: ['refresh_token'] });
    api = basic('orders', server.secret);
  });
  afterAll(() => world.close());

  const add = (allowed: readonly string[]) =>
    addServer(admin, { redirect_uris: [redirectUri(world.url)], resources: allowed });
  const withResources = (url: string, named: readonly string[]) => {
    const address = new URL(url);
    for (const each of named) address.searchParams.append('resource', each);
    return address.href;
  };
  const start = async (named: readonly string[], browser = new PcBrowser()) => {
    const { verifier, challenge } = pkce();
    const url = withResources(authorizeUrl(world.url, challenge, { client_id: id }), named);
    return { browser, verifier, reply: await browser.visit(url) };
  };
  const codeFor = async (named: readonly string[]) => {
    const { browser, verifier, reply } = await start(named);
    const person = world.wechat.person({ nickname: '客' });
    const returned = await browser.visit(await callbackAfterScan(world.wechat, reply.location ?? '', person));
    return {
      grant_type: 'authorization_code',
      code: returned.location?.searchParams.get('code') ?? '',
      redirect_uri: redirectUri(world.url),
      code_verifier: verifier,
    };
  };
  const ask = (form: Readonly<Record<string, string>>, named: readonly string[] = []) => {
    const body = new URLSearchParams(form);
    for (const each of named) body.append('resource', each);
    return post(`${world.url}/iam/token`, body, basic(id, secret));
  };
  const refresh = (reply: Reply, named: readonly string[] = []) =>
    ask({ grant_type: 'refresh_token', refresh_token: String(reply.json()['refresh_token']) }, named);
  const audienceOf = (reply: Reply) => decodeJwt(String(reply.json()['access_token'])).aud;
  const introspect = async (token: unknown, headers = basic(id, secret)) =>
    (await post(`${world.url}/iam/introspect`, { token: String(token) }, headers)).json();

  it('name the APIs that were asked for, also after a refresh, which may ask for fewer', async () => {
    const one = await ask(await codeFor([orders]));
    const both = await ask(await codeFor([`${stock}/`, orders, orders]));
    const fewer = await refresh(both, [stock]);
    const again = await refresh(fewer);

    expect(audienceOf(one)).toBe(orders);
    expect([both, fewer, again].map(audienceOf)).toEqual([[stock, orders], stock, [stock, orders]]);
  });

  it('are for us where none was asked for, unless the code or the refresh asks', async () => {
    const none = await ask(await codeFor([]));
    const later = await ask(await codeFor([]), [stock]);
    const refreshed = await refresh(later);
    const widened = await ask(await codeFor([orders]), [stock]);

    expect([none, later, refreshed].map(audienceOf)).toEqual([world.url, stock, world.url]);
    expect(refusalOf(widened)).toEqual([400, 'invalid_target', 'invalid_target']);
  });

  it('open nothing here', async () => {
    const reply = await ask(await codeFor([orders]));

    const me = await getWith(`${world.url}/iam/me`, String(reply.json()['access_token']));

    expect([me.status, me.json()['code']]).toEqual([401, 'invalid_token']);
  });

  it('are only for what the host names and the application may have', async () => {
    const form = await codeFor([orders]);
    const wrong = [[closed], ['https://unheard-of.example'], ['orders'], [orders, closed], [world.url]];
    const pushed = new URLSearchParams(
      new URL(authorizeUrl(world.url, pkce().challenge, { client_id: id })).searchParams,
    );
    pushed.append('resource', orders);
    pushed.append('resource', closed);

    const starts = [];
    for (const named of wrong) starts.push((await start(named)).reply.location?.searchParams.get('error'));
    const atToken = [];
    for (const named of wrong) atToken.push(refusalOf(await ask(form, named)));
    const atPar = await post(`${world.url}/iam/par`, pushed, basic(id, secret));
    const registered = await admin.patch(`clients/${id}`, { resources: ['https://unheard-of.example'] });
    const page = { redirect_uris: ['https://a.test/'], tokens: 'cookie', resources: [orders] };
    const ofCookies = await admin.post('clients', { id: 'page', ...page });

    expect(starts).toEqual(wrong.map(() => 'invalid_target'));
    expect(atToken).toEqual(wrong.map(() => [400, 'invalid_target', 'invalid_target']));
    expect(refusalOf(atPar)).toEqual([400, 'invalid_target', 'invalid_target']);
    expect([registered.code, ofCookies.code]).toEqual(['invalid_request', 'invalid_request']);
    expect((await ask(form)).status).toBe(200);
  });

  it('are for nothing that was taken from the application since, nor for us instead', async () => {
    const both = await ask(await codeFor([orders, stock]));
    const one = await ask(await codeFor([orders]));
    await admin.patch(`clients/${id}`, { resources: [stock] });

    const rest = await refresh(both);
    const nothing = await refresh(one);
    await admin.patch(`clients/${id}`, { resources: [orders, stock] });
    const again = await refresh(rest);
    const emptyList = await new PcBrowser().visit(`${world.url}/iam/token`, {
      method: 'POST',
      body: { grant_type: 'refresh_token', refresh_token: again.json()['refresh_token'], resource: [] },
      headers: { accept: 'application/json', ...basic(id, secret) },
    });

    expect([rest, again].map(audienceOf)).toEqual([stock, [orders, stock]]);
    expect(refusalOf(nothing)).toEqual([400, 'invalid_target', 'invalid_target']);
    expect(refusalOf(emptyList)).toEqual([400, 'invalid_request', 'invalid_request']);
  });

  it('go over a pushed request too', async () => {
    const { verifier, challenge } = pkce();
    const pushed = new URLSearchParams(
      new URL(authorizeUrl(world.url, challenge, { client_id: id })).searchParams,
    );
    for (const each of [orders, stock]) pushed.append('resource', each);
    const reply = await post(`${world.url}/iam/par`, pushed, basic(id, secret));
    const query = new URLSearchParams({ client_id: id, request_uri: String(reply.json()['request_uri']) });
    const browser = new PcBrowser();
    const started = await browser.visit(`${world.url}/iam/authorize?${query.toString()}`);
    const person = world.wechat.person({ nickname: '客' });
    const returned = await browser.visit(
      await callbackAfterScan(world.wechat, started.location ?? '', person),
    );
    const tokens = await ask({
      grant_type: 'authorization_code',
      code: returned.location?.searchParams.get('code') ?? '',
      redirect_uri: redirectUri(world.url),
      code_verifier: verifier,
    });

    expect(audienceOf(tokens)).toEqual([orders, stock]);
  });

  describe('are introspected', () => {
    it('by their application and by the API that they are for, at one statement each', async () => {
      const reply = await ask(await codeFor([orders]));
      const { access_token, refresh_token } = reply.json();
      const { sub, exp, iat, jti } = decodeJwt(String(access_token));
      const counter = countQueries(world.database.url);

      const own = await introspect(access_token);
      const byApi = await introspect(access_token, api);
      const ofRefresh = await introspect(refresh_token);
      const count = counter.since(0).length;
      counter.stop();

      expect(own).toEqual({
        active: true,
        token_type: 'Bearer',
        iss: world.url,
        aud: orders,
        client_id: id,
        roles: [],
        auth_time: expect.any(Number) as number,
        ...{ sub, exp, iat, jti },
      });
      expect(byApi).toEqual(own);
      expect(ofRefresh).toEqual({
        active: true,
        iss: world.url,
        sub,
        client_id: id,
        iat: expect.any(Number) as number,
        exp: expect.any(Number) as number,
      });
      expect(count).toBe(3);
    });

    it('by nobody else, and nothing is said of what is none', async () => {
      const { id: other, secret: otherSecret } = await add([orders]);
      const reply = await ask(await codeFor([stock]));
      const { access_token, refresh_token } = reply.json();
      const stranger = basic(other, otherSecret);
      const counter = countQueries(world.database.url);
      const [head = '', body = ''] = String(access_token).split('.');

      const silent = [
        await introspect(access_token, stranger),
        await introspect(access_token, api),
        await introspect('made-up'),
        await introspect(`${head}.${body}.${'A'.repeat(86)}`),
      ];
      const count = counter.since(0).length;
      const ofRefresh = [await introspect(refresh_token, stranger), await introspect(refresh_token, api)];
      counter.stop();
      const publicly = await post(`${world.url}/iam/introspect`, {
        token: String(access_token),
        client_id: 'web',
      });
      const unproven = await post(`${world.url}/iam/introspect`, {
        token: 'x',
        client_id: id,
        client_secret: 'x',
      });

      expect([...silent, ...ofRefresh]).toEqual(Array<unknown>(6).fill({ active: false }));
      expect(count).toBe(0);
      expect([publicly, unproven].map(refusalOf)).toEqual([
        [401, 'invalid_client', 'invalid_client'],
        [401, 'invalid_client', 'invalid_client'],
      ]);
    });

    it('however many of them are old: what we have signed is no guess', async () => {
      const now = Math.floor(Date.now() / 1000);
      const old = { sub: id, client_id: id, jti: 'old', aud: orders, iat: now - 2_000, exp: now - 1_000 };
      const token = await world.app.get(Jwts).sign(old, { type: 'at+jwt', seconds: 1_000 });
      const statuses = async (path: string, tries: number) => {
        const sent = Array.from({ length: tries }, () => post(`${world.url}/iam/${path}`, { token }, api));
        return new Set((await Promise.all(sent)).map(({ status }) => status));
      };

      expect(await introspect(token, api)).toEqual({ active: false });
      expect(await statuses('introspect', 130)).toEqual(new Set([200]));
      expect(await statuses('revoke', 130)).toEqual(new Set([200]));
    });

    it('of services too, which may be for such an API, until their secret is replaced', async () => {
      await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('machine')`);
      const created = {
        type: 'service',
        grants: ['client_credentials'],
        resources: [orders],
        roles: ['machine'],
      };
      const { id: service, secret: first } = await addServer(admin, created);
      const machine = basic(service, first);
      const forUs = await post(`${world.url}/iam/token`, { grant_type: 'client_credentials' }, machine);
      const form = { grant_type: 'client_credentials', resource: orders };
      const forApi = await post(`${world.url}/iam/token`, form, machine);
      const foreign = await post(`${world.url}/iam/token`, { ...form, resource: stock }, machine);
      const { access_token } = forApi.json();

      const told = [await introspect(access_token, machine), await introspect(access_token, api)];
      const silent = await introspect(forUs.json()['access_token'], api);
      await admin.post(`clients/${service}/rotate`, {}, '*');
      await admin.delete(`clients/${service}/previous_secret`);
      const after = await introspect(access_token, api);

      expect([forUs, forApi].map(audienceOf)).toEqual([world.url, orders]);
      expect(refusalOf(foreign)).toEqual([400, 'invalid_target', 'invalid_target']);
      expect(told).toEqual([
        expect.objectContaining({
          active: true,
          sub: service,
          client_id: service,
          aud: orders,
          roles: ['machine'],
        }),
        told[0],
      ]);
      expect([silent, after]).toEqual([{ active: false }, { active: false }]);
    });

    it('as they are now: after a rotation, a role, a sign-out, a ban, and at an application that is disabled', async () => {
      const first = await ask(await codeFor([]));
      const second = await refresh(first);
      const { access_token, refresh_token } = second.json();
      const { sub } = decodeJwt(String(access_token));
      await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk')`);
      await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [sub]);

      const rotated = [await introspect(first.json()['refresh_token']), await introspect(refresh_token)];
      const withRole = await introspect(access_token);
      await admin.patch(`clients/${id}`, { enabled: false });
      const disabled = await post(
        `${world.url}/iam/introspect`,
        { token: String(access_token) },
        basic(id, secret),
      );
      await admin.patch(`clients/${id}`, { enabled: true });
      await world.dataSource.query(`UPDATE iam.users SET status = 'disabled' WHERE id = $1`, [sub]);
      const banned = [await introspect(access_token), await introspect(refresh_token)];
      await world.dataSource.query(`UPDATE iam.users SET status = 'active' WHERE id = $1`, [sub]);
      const before = await introspect(access_token);
      await post(`${world.url}/iam/revoke`, { token: String(refresh_token) }, basic(id, secret));
      const revoked = [await introspect(access_token), await introspect(refresh_token)];

      expect(rotated.map(({ active }) => active)).toEqual([false, true]);
      expect(withRole['roles']).toEqual(['clerk']);
      expect(refusalOf(disabled)).toEqual([400, 'unauthorized_client', 'client_disabled']);
      expect(before['active']).toBe(true);
      expect([...banned, ...revoked]).toEqual(Array<unknown>(4).fill({ active: false }));
    });
  });
});

@UseGuards(IamGuard)
@AllowMachines()
@Controller()
class ToolsController {
  @Get(['mcp/tools', 'mcp/staff', 'orders', 'mcpx'])
  list() {
    return { tools: [] };
  }
}

@Module({ controllers: [ToolsController] })
class ToolsModule {}

describe.each(platforms)('APIs of this application, on %s', (_name, create) => {
  const publicUrl = 'https://app.example.com';
  const site = { ...adminOptions, publicUrl, wechat: { allowLoopback: true } };
  const own = [
    { identifier: publicUrl },
    { identifier: `${publicUrl}/mcp`, name: '工具', scopes: ['profile', 'roles'] },
    { identifier: `${publicUrl}/mcp/staff` },
    { identifier: 'https://other.example.com/mcp' },
  ];
  let world: World;
  let plain: IamApp;

  beforeAll(async () => {
    const imports = [ToolsModule];
    world = await startWorld({ create, imports, options: { ...site, resources: own } });
    plain = await startReplica(world, { create, imports, options: site });
  });
  afterAll(() => plain.close().finally(() => world.close()));

  const read = (path: string, url = world.url) =>
    new PcBrowser().visit(`${url}/.well-known/oauth-protected-resource${path}`);
  const get = (path: string, token: string, url = world.url) => getWith(`${url}/${path}`, token);

  it('have metadata at the root and below their paths, and nowhere else', async () => {
    const [root, mcp] = [await read(''), await read('/mcp')];
    const nowhere = [await read('/other'), await read('/mcp/deeper'), await read('', plain.url)];

    expect(root.json()).toEqual({
      resource: publicUrl,
      authorization_servers: [publicUrl],
      bearer_methods_supported: ['header'],
    });
    expect(mcp.json()).toEqual({
      resource: `${publicUrl}/mcp`,
      authorization_servers: [publicUrl],
      bearer_methods_supported: ['header'],
      scopes_supported: ['profile', 'roles'],
      resource_name: '工具',
    });
    expect(nowhere.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  it('are opened by their own tokens, which open nothing else, and say where their metadata is', async () => {
    const admin = new AdminClient(world.url);
    const { id, secret } = await addServer(admin, {
      type: 'service',
      grants: ['client_credentials'],
      resources: [`${publicUrl}/mcp`, 'https://other.example.com/mcp'],
    });
    const tokenFor = async (resource: string) => {
      const form = { grant_type: 'client_credentials', resource };
      const reply = await post(`${world.url}/iam/token`, form, basic(id, secret));
      return String(reply.json()['access_token']);
    };
    const [forTools, forOther, forUs] = [
      await tokenFor(`${publicUrl}/mcp`),
      await tokenFor('https://other.example.com/mcp'),
      await tokenFor(''),
    ];
    const statuses = async (path: string, url = world.url) => [
      (await get(path, forTools, url)).status,
      (await get(path, forTools, url)).status,
      (await get(path, forOther, url)).status,
      (await get(path, forUs, url)).status,
    ];

    const [atTools, elsewhere, besides] = [
      await statuses('mcp/tools'),
      await statuses('orders'),
      await statuses('mcpx'),
    ];
    const spellings = ['mcp/staff', 'mcp/STAFF', 'mcp/%73taff', 'mcp//staff', 'mcp/staff;x'];
    const inside = [];
    for (const path of spellings) inside.push((await get(path, forTools)).status);
    const bare = await new PcBrowser().visit(`${world.url}/mcp/tools`);
    const wrong = await get('mcp/tools', forOther);
    const unnamed = await get('mcp/tools', 'x', plain.url);

    expect(atTools).toEqual([200, 200, 401, 200]);
    expect([elsewhere, besides]).toEqual([
      [401, 401, 401, 200],
      [401, 401, 401, 200],
    ]);
    // An API of its own, however a router reads its path.
    expect(inside).not.toContain(200);
    const named = `resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp"`;
    expect([bare, wrong, unnamed].map(({ headers }) => headers.get('www-authenticate'))).toEqual([
      `Bearer ${named}`,
      `Bearer error="invalid_token", ${named}`,
      'Bearer error="invalid_token"',
    ]);
  });
});
