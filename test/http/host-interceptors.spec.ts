import { endpointsOf, type EndpointDeclaration, iamControllers } from '../../src/http/endpoint.decorator.js';
import { adminOptions, adminToken } from '../support/admin.js';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode, startFollowWorld } from '../support/follow.js';
import { hostileModule, hostilities, type Hostility } from '../support/hostile-host.js';
import { startReplica, type IamApp, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { getWith } from '../support/sign-in.js';
import { inWechat, refresh, type SignedIn } from '../support/signed-in.js';

/** What no interceptor of a host may change. */
const ownHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

const headersOf = ({ headers }: Reply) =>
  Object.fromEntries(Object.keys(ownHeaders).map((name) => [name, headers.get(name)]));

/** A form of ours is sent with its Origin, which `no-referrer` would make `null`. */
const referrerPolicyOf = ({ method, path }: { method: string; path: string }) =>
  method === 'GET' && path === 'device' ? 'same-origin' : 'no-referrer';

/** Every endpoint that there is, so that a new one is covered by itself. */
const endpoints = iamControllers.flatMap((controller) => endpointsOf(controller));

describe.each(platforms)('on %s, a host whose global interceptors, pipe and filter', (_name, create) => {
  let world: World;
  let lan: SignedIn;
  let ming: SignedIn;
  const running: IamApp[] = [];

  beforeAll(async () => {
    world = await startFollowWorld({}, { create, options: { ...adminOptions, rateLimits: 'off' } });
    lan = await inWechat(world, world.wechat.person({ nickname: '<script>alert(1)</script>' }));
    ming = await inWechat(world, world.wechat.person({ nickname: '小明' }));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });
  afterAll(() => world.close());

  const start = async (...which: readonly Hostility[]): Promise<string> => {
    const options = { ...adminOptions, rateLimits: 'off' } as const;
    const app = await startReplica(world, { create, options, imports: [hostileModule(...which)] });
    running.push(app);
    return app.url;
  };

  it.each(hostilities)('have %s: everybody gets their own answer, as it is', async (which) => {
    const url = await start(which);

    const replies = [];
    for (const { accessToken } of [lan, ming, lan]) replies.push(await getWith(`${url}/iam/me`, accessToken));
    const refused = await getWith(`${url}/iam/me`, 'wrong');
    const renewed = await refresh(url, ming.refreshToken);
    ming = { ...ming, refreshToken: String(renewed.json()['refresh_token']) };

    expect(replies.map((reply) => [reply.status, reply.json()['id']])).toEqual(
      [lan, ming, lan].map(({ id }) => [200, id]),
    );
    for (const reply of replies) {
      expect(headersOf(reply)).toEqual(ownHeaders);
      expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    }
    expect([refused.status, refused.json()['code']]).toEqual([401, 'invalid_token']);
    expect(renewed.json()).toMatchObject({ token_type: 'Bearer' });
  });

  it.each(hostilities)('have %s: the events of a scan come as they happen', async (which) => {
    const url = await start(which);
    const device = await askForQrCode(url);
    const { pathname, search } = new URL(device.eventsUri);
    const stream = await openEvents(`${url}${pathname}${search}`);

    const person = world.wechat.person({ nickname: '小红' });
    await person.scan(device.qr);
    await person.follow(world.oa);
    await stream.until('scanned');
    stream.close();

    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.text()).toContain('event: scanned\ndata: {"state":"scanned"}\n\n');
  });

  it('have all of that change nothing at any endpoint', async () => {
    const url = await start(...hostilities);

    for (const endpoint of endpoints) {
      const [plain, hostile, again] = [
        await ask(world.url, endpoint),
        await ask(url, endpoint),
        await ask(url, endpoint),
      ];

      expect(described(hostile, endpoint)).toEqual(described(plain, endpoint));
      expect(described(again, endpoint)).toEqual(described(plain, endpoint));
      expect(headersOf(hostile)).toEqual(headersOf(plain));
      expect(headersOf(hostile)).toEqual({ ...ownHeaders, 'referrer-policy': referrerPolicyOf(endpoint) });
    }
  });
});

/** As an administrator, with parameters and a body that name nothing. */
function ask(url: string, { method, path }: EndpointDeclaration): Promise<Reply> {
  const id = '0198c0de-0000-7000-8000-000000000000';
  const target = path.replace(/:(\w+)/g, (_all, name: string) => (/id$/i.test(name) ? id : 'nobody'));
  const isAdmin = path.startsWith('admin/');
  return new PcBrowser().visit(`${url}/iam/${target}`, {
    method,
    headers: {
      accept: 'application/json',
      'if-match': '*',
      ...(isAdmin && { authorization: `Bearer ${adminToken}` }),
    },
    ...(method !== 'GET' && { body: {} }),
  });
}

/** What must be the same, whatever the time and the request's id. */
function described(reply: Reply, { method, path }: EndpointDeclaration) {
  const type = reply.headers.get('content-type');
  const body: unknown = type?.includes('json') === true ? reply.json() : null;
  const { code, error } = body === null ? {} : reply.json();
  return {
    endpoint: `${method} ${path}`,
    status: reply.status,
    type,
    members: body === null ? reply.text.length : Object.keys(reply.json()),
    code,
    error,
  };
}
