import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { z } from 'zod';
import { iamControllers, endpointsOf, type EndpointDeclaration } from '../../src/http/endpoint.decorator.js';
import { adminOptions, adminToken } from '../support/admin.js';
import { startFollowWorld } from '../support/follow.js';
import { IamUsers, IdentityProviders } from '../../src/index.js';
import type { World } from '../support/iam-app.js';
import { platforms } from '../support/platforms.js';
import { inWechat } from '../support/signed-in.js';

/** Every endpoint that there is, so that a new one is covered by itself. */
const endpoints = iamControllers
  .flatMap((controller) => endpointsOf(controller))
  // Of IamPagesModule, which this host does not import: another test file may have.
  .filter(({ path }) => !path.startsWith('ui/'))
  .map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const);

/** No more than there are connections to PostgreSQL. */
const AT_ONCE = 8;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

const long = 'x'.repeat(10_000);
/** As they stand in an address: NUL, half a character, bytes that are no UTF-8, and much. */
const inAddresses = ['%00', 'a%00b', '%ED%A0%80', '%FF', '%', '%F0%9F%98%80', '-1', '1e400', long];
const inBodies: readonly unknown[] = [
  'a\0b',
  '\ud800',
  long,
  '',
  -1,
  1e300,
  true,
  null,
  [],
  ['a', 'a\0b'],
  { a: { b: ['\0'] } },
];
/** One byte a character, as headers are sent. */
const inHeaders = ['\xed\xa0\x80', '\xff\xfe', '%00', '"\\u0000"', '{"a":["\\ud800"]}', long];

/** No endpoint refuses a request for them: one request carries them all, where Node lets it be that long. */
const notes = ['user-agent', 'x-request-id', 'traceparent', 'accept-language'];

/** What the endpoints for WeChat and for pages take, which do not describe it. */
const usualNames = [
  'state',
  'code',
  'login',
  'decision',
  'csrf',
  'number',
  'provider',
  'method',
  'signature',
];
/** Brings a request past the checks of its other fields. */
const plausible: Readonly<Record<string, unknown>> = {
  client_id: 'web',
  provider: 'wechat',
  method: 'open',
  response_type: 'code',
  code_challenge_method: 'S256',
  code_challenge: 'x'.repeat(43),
  code_verifier: 'x'.repeat(43),
  decision: 'confirm',
  name: 'nobody',
  slug: 'nobody',
};
const grants = [
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:wechat:grant:mini_program',
  'urn:wechat:grant:mobile_app',
];

const described = z.object({ properties: z.record(z.string(), z.unknown()) });

/** The names that a schema of an endpoint knows, in any of its forms. */
function namesOf({ path }: EndpointDeclaration, schema: z.ZodType | undefined): readonly string[] {
  if (schema === undefined) return /^(callback|confirm|webhook)/.test(path) ? usualNames : ['state'];
  const found: string[] = [];
  JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), (_key, value: unknown) => {
    const { data } = described.safeParse(value);
    if (data !== undefined) found.push(...Object.keys(data.properties));
    return value;
  });
  return [...new Set(found)];
}

describe.each(platforms)('on %s, a request with values that nobody means', (platform, create) => {
  let world: World;
  let isUsed = true;
  let accessToken: string;
  let authorization: string;
  let userId: string;

  beforeAll(async () => {
    world = await startFollowWorld(
      {},
      { create, options: { ...adminOptions, rateLimits: 'off' }, isRefusing: true },
    );
  });
  afterAll(() => {
    agent.destroy();
    return world.close();
  });

  /** Anew after each endpoint that writes: some end the session, or delete the row, that they are asked with. */
  async function prepare({ method, path }: EndpointDeclaration): Promise<void> {
    if (isUsed) {
      ({ accessToken } = await inWechat(world, world.wechat.person({ nickname: '某' })));
      userId = (await world.app.get(IamUsers).create({})).id;
      await world.app.get(IdentityProviders).save({
        slug: 'spare',
        name: 'Spare',
        open_app_id: world.site.appid,
        open_app_secret: world.site.secret,
      });
    }
    isUsed = method !== 'GET';
    authorization = `Bearer ${path.startsWith('admin/') ? adminToken : accessToken}`;
  }

  async function ask({ method, path }: EndpointDeclaration, { address = path, ...visit }: Ask) {
    const slug = path.startsWith('admin/') ? 'spare' : 'wechat';
    const target = address.replace(/:(\w+)/g, (_all, name: string) => (/id$/i.test(name) ? userId : slug));
    const { status, text } = await send(`${world.url}/iam/${target}`, method, {
      ...visit,
      headers: { accept: 'application/json', 'if-match': '*', authorization, ...visit.headers },
    });
    return status < 500 ? [] : [`${String(status)} ${JSON.stringify([target, visit]).slice(0, 200)} ${text}`];
  }

  it.each(endpoints)('is no failure of the server: %s', async (_route, endpoint) => {
    await prepare(endpoint);

    const requests = requestsTo(endpoint, shareOf(platform));
    const failures = [];
    for (let first = 0; first < requests.length; first += AT_ONCE)
      failures.push(
        ...(await Promise.all(
          requests.slice(first, first + AT_ONCE).map((request) => ask(endpoint, request)),
        )),
      );

    expect(failures.flat()).toEqual([]);
  });
});

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly form?: Readonly<Record<string, string>>;
}

interface Ask extends Sent {
  /** In place of the endpoint's own path. */
  readonly address?: string;
}

/** Without the cookie jar and the redirects of a browser, which take longer than the answers: there are thousands. */
async function send(url: string, method: string, visit: Sent): Promise<{ status: number; text: string }> {
  const { headers, body, form } = visit;
  const [type, text] =
    form === undefined
      ? ['application/json', JSON.stringify(body)]
      : ['application/x-www-form-urlencoded', new URLSearchParams(form).toString()];
  const sent = request(url, {
    method,
    agent,
    headers: { ...(text && { 'content-type': type }), ...headers },
  });
  sent.end(text);
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, text: await readText(answer) };
  } catch (error) {
    // The server may have closed a connection that an earlier request has left.
    if (sent.reusedSocket) return send(url, method, visit);
    throw error;
  }
}

type Share = (texts: readonly string[]) => readonly string[];

/** Node reads headers and a schema its fields alike on every platform: each platform asks with a share of them. */
function shareOf(platform: string): Share {
  const turn = platforms.findIndex(([name]) => name === platform);
  return (texts) => texts.filter((_text, index) => index % platforms.length === turn);
}

function requestsTo(endpoint: EndpointDeclaration, share: Share): Ask[] {
  const { method, path, description } = endpoint;
  const names = namesOf(endpoint, description.query);
  const addresses = inAddresses.flatMap((text) => [
    ...(path.includes(':') ? [{ address: path.replace(/:\w+/g, text) }] : []),
    // All at once, since a schema looks at each, whatever is wrong with the others; then each beside right ones.
    { address: `${path}?${names.map((name) => `${name}=${text}`).join('&')}` },
    { address: `${path}?${names.map((name) => `${name}[]=${text}&${name}[a][b]=${text}`).join('&')}` },
    ...(names.length > 1 ? share(names) : []).map((name) => ({
      address: `${path}?${name}=${text}&${othersThan(name, names)}`,
    })),
  ]);
  const headers = share(inHeaders).flatMap((value) => [
    ...(value === long
      ? notes.map((name) => ({ [name]: value }))
      : [Object.fromEntries(notes.map((name) => [name, value]))]),
    { 'if-match': value },
    { authorization: value },
    { cookie: cookiesWith(value) },
  ]);
  if (method === 'GET') return [...addresses, ...headers.map((each) => ({ headers: each }))];
  return [
    ...addresses.map((request) => ({ ...request, body: {} })),
    ...headers.map((each) => ({ headers: each, body: plausible })),
    ...bodiesOf(endpoint, share),
  ];
}

function bodiesOf(endpoint: EndpointDeclaration, share: Share): Ask[] {
  const names = namesOf(endpoint, endpoint.description.body);
  const bases = names.includes('grant_type')
    ? grants.map((grant_type) => ({ ...plausible, grant_type }))
    : [{}];
  const bodies = inBodies.flatMap((value) => [
    { body: value },
    ...bases.flatMap((base) =>
      share(names).map((name) => ({ body: { ...known(base, names), [name]: value } })),
    ),
  ]);
  const forms = names.map((name) => ({ form: { client_id: 'web', [name]: 'a\0b' } }));
  return [...bodies, ...forms];
}

function othersThan(name: string, names: readonly string[]): string {
  const others = new URLSearchParams();
  for (const [other, value] of Object.entries(known({}, names)))
    if (other !== name) others.set(other, String(value));
  return others.toString();
}

/** Strict endpoints refuse names that they do not know before they look at the others. */
function known(base: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ ...plausible, ...base }).filter(([name]) => names.includes(name)),
  );
}

function cookiesWith(value: string): string {
  const names = ['iam-access', 'iam-refresh', 'iam-login-x', 'iam-confirm-x'];
  const each = value.slice(0, 2_500);
  return names.map((name) => `${name}=${each}`).join('; ');
}
