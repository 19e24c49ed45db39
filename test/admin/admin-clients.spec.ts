import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { cookieClient } from '../support/cookie-client.js';
import { redirectUri, startIamApp, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { authorizeUrl, type PcSignIn, pkce, returnFromPc } from '../support/sign-in.js';

const api = 'https://api.example.com/orders';

describe('applications that are administered', () => {
  let world: World;
  let admin: AdminClient;
  let created = 0;

  beforeAll(async () => {
    world = await startWorld({
      options: { ...adminOptions, resources: [{ identifier: api, name: '订单' }] },
    });
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
  const returned = (client_id: string) =>
    returnFromPc(world, world.wechat.person({ nickname: '客' }), { client_id });
  const codeForm = ({ returned: reply, verifier }: PcSignIn) => ({
    grant_type: 'authorization_code',
    code: reply.location?.searchParams.get('code') ?? '',
    redirect_uri: redirectUri(world.url),
    code_verifier: verifier,
  });

  it('are changed by one of two administrators at once', async () => {
    const id = await register();
    const { etag } = await admin.get(`clients/${id}`);

    const replies = await Promise.all(
      ['一', '二'].map((name) => admin.patch(`clients/${id}`, { name }, etag)),
    );
    const same = await Promise.all(
      [0, 1].map(() => admin.post('clients', { id: 'both', redirect_uris: ['https://a.test/'] })),
    );

    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(same.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect((await admin.patch(`clients/${id}`, { name: 'x' }, '')).code).toBe('precondition_failed');
  });

  it.each([
    ['an id with a slash', { id: 'a/b' }, 'id'],
    ['no redirect URI', { redirect_uris: [] }, 'redirect_uris'],
    [
      'a redirect URI over the open net in clear',
      { redirect_uris: ['https://shop.example.com/', 'http://shop.example.com/'] },
      'redirect_uris.1',
    ],
    ['a redirect URI with a fragment', { redirect_uris: ['https://shop.example.com/#a'] }, 'redirect_uris.0'],
    ['an origin with a path', { origins: ['https://shop.example.com/a'] }, 'origins.0'],
    ['a server with cookies', { type: 'confidential', tokens: 'cookie' }, 'tokens'],
    ['a service with a redirect URI', { type: 'service' }, 'redirect_uris'],
    [
      'a third party whose apps hand in codes',
      { first_party: false, grants: ['urn:wechat:grant:mini_program'] },
      'grants',
    ],
    ['an unknown grant', { grants: ['password'] }, 'grants.0'],
    ['no grant', { grants: [] }, 'grants'],
    ['a picture by script', { logo_uri: 'javascript:alert(1)' }, 'logo_uri'],
    ['an unknown provider', { providers: ['wechat', 'nowhere'] }, 'providers.1'],
    ['an unknown resource', { resources: ['https://api.example.com/'] }, 'resources.0'],
    [
      'an unknown provider after a repeated one',
      { providers: ['wechat', 'wechat', 'nowhere'] },
      'providers.2',
    ],
    [
      'an unknown resource after a repeated one',
      { resources: [api, api, 'https://api.example.com/'] },
      'resources.2',
    ],
    ['a service of an unknown role', { type: 'service', redirect_uris: [], roles: ['none'] }, 'roles'],
    ['a member that there is not', { colour: 'red' }, undefined],
  ])('are refused with %s, and the response says where it is', async (_what, members, member) => {
    const reply = await admin.post('clients', {
      id: 'refused',
      redirect_uris: ['https://shop.example.com/'],
      ...members,
    });

    expect([reply.status, reply.code, reply.json()['member']]).toEqual([400, 'invalid_request', member]);
  });

  it('have what a list repeats once, which is no change of it', async () => {
    const redirect_uris = ['https://shop.example.com/', 'https://shop.example.com/'];
    const id = await register({ redirect_uris, resources: [api, api] });
    const before = await admin.get(`clients/${id}`);

    const changed = await admin.patch(`clients/${id}`, { resources: [api, api, api] });

    expect(before.json()).toMatchObject({ redirect_uris: redirect_uris.slice(1), resources: [api] });
    expect([changed.status, changed.etag]).toEqual([200, before.etag]);
  });

  it('are listed with those of the code, which nobody changes', async () => {
    const id = await register({ name: '清单' });
    const pages = [];
    for (let cursor = ''; ;) {
      const page = await admin.get(`clients?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      pages.push(...page.items());
      const next = page.json()['next_cursor'];
      cursor = typeof next === 'string' ? next : '';
      if (cursor === '') break;
    }
    const web = await admin.get('clients/web');

    const ids = pages.map((client) => String(client['id']));
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids).toEqual(expect.arrayContaining([id, 'web']));
    expect(web.json()).toMatchObject({ source: 'code', etag: null, grants: null });
    expect((await admin.get(`clients?q=${encodeURIComponent('清')}`)).items()).toMatchObject([{ id }]);
    expect([
      (await admin.patch('clients/web', { name: 'x' })).code,
      (await admin.delete('clients/web')).code,
      (await admin.post('clients/web/rotate', {}, '*')).code,
      (await admin.post('clients', { id: 'web', redirect_uris: ['https://a.test/'] })).code,
    ]).toEqual(['not_found', 'not_found', 'not_found', 'already_exists']);
  });

  it('take three permissions', async () => {
    const id = await register({ type: 'confidential' });
    const [reader, writer, keeper] = [
      await adminWithPermissions(world, 'iam:clients:read'),
      await adminWithPermissions(world, 'iam:clients:write'),
      await adminWithPermissions(world, 'iam:clients:secrets'),
    ];
    const statusesOf = async (by: AdminClient) => [
      (await by.get(`clients/${id}`)).status,
      (await by.patch(`clients/${id}`, { name: 'n' })).status,
      (await by.post(`clients/${id}/rotate`, {}, '*')).status,
      (await by.delete(`clients/${id}/previous_secret`)).status,
    ];

    expect(await statusesOf(reader)).toEqual([200, 403, 403, 403]);
    expect(await statusesOf(writer)).toEqual([403, 200, 403, 403]);
    expect(await statusesOf(keeper)).toEqual([403, 403, 200, 200]);
  });

  it('keep a public one from having a secret', async () => {
    const id = await register();

    expect((await admin.post(`clients/${id}/rotate`, {}, '*')).code).toBe('invalid_request');
  });

  it('let scripts of their origins in, with cookies where they have them', async () => {
    const [origin, other] = ['https://front.example', 'https://cookies.example'];
    const id = await register({ origins: [origin] });
    const cookies = await register({ origins: [other], tokens: 'cookie' });
    const corsOf = async (from: string) => {
      const { headers } = await new PcBrowser().visit(`${world.url}/iam/providers`, { from });
      return ['origin', 'credentials'].map((name) => headers.get(`access-control-allow-${name}`));
    };

    const before = [await corsOf(origin), await corsOf(other)];
    const signedIn = await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: { ...codeForm(await returned(cookies)), client_id: cookies },
      from: other,
    });
    await admin.patch(`clients/${id}`, { enabled: false });

    expect(before).toEqual([
      [origin, null],
      [other, 'true'],
    ]);
    expect([signedIn.status, signedIn.headers.getSetCookie()]).toEqual([
      200,
      [expect.any(String), expect.any(String)],
    ]);
    expect(await corsOf(origin)).toEqual([null, null]);
  });

  it('stop the start of an application whose code has the same id', async () => {
    const id = await register();
    const start = startIamApp({
      databaseUrl: world.database.url,
      endpoints: world.wechat.endpoints,
      options: { clients: [cookieClient(id)] },
    });

    await expect(start).rejects.toThrow(new RegExp(`clients.*"${id}"`));
  });

  it('open no port of their machine to choose but for public ones without cookies', async () => {
    const redirect_uris = ['http://127.0.0.1/back'];
    const start = async (id: string) =>
      (
        await new PcBrowser().visit(
          authorizeUrl(world.url, pkce().challenge, {
            client_id: id,
            redirect_uri: 'http://127.0.0.1:51234/back',
          }),
        )
      ).status;

    expect([
      await start(await register({ redirect_uris })),
      await start(await register({ redirect_uris, tokens: 'cookie' })),
      await start(await register({ redirect_uris, type: 'confidential' })),
    ]).toEqual([302, 400, 400]);
  });
});
