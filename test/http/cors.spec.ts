import { request as rawRequest } from 'node:http';
import { Controller, Get, Module, type INestApplication } from '@nestjs/common';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { type IamApp, startIamApp } from '../support/iam-app.js';
import { migrated } from '../support/templates.js';
import { platforms } from '../support/platforms.js';

@Controller('orders')
class OrdersController {
  @Get()
  list() {
    return [];
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

const good = 'https://spa.example.com';
const cookieOrigin = 'https://www.shop.example:8443';
const both = 'https://both.example.com';

const options = {
  clients: [
    { id: 'spa', redirectUris: [`${good}/back`], origins: [good, both] },
    {
      id: 'shop',
      redirectUris: [`${cookieOrigin}/back`],
      origins: [cookieOrigin, both],
      tokens: 'cookie',
    },
  ],
} as const;

const forScripts: [string, string][] = [
  ['POST', '/iam/token'],
  ['POST', '/iam/revoke'],
  ['POST', '/iam/device_authorization'],
  ['GET', '/iam/device_authorization/events?watch=x'],
  ['GET', '/iam/providers'],
  ['GET', '/iam/userinfo'],
  ['GET', '/iam/jwks'],
  ['GET', '/iam/.well-known/oauth-authorization-server'],
  ['GET', '/iam/me'],
  ['DELETE', '/iam/me/sessions/x'],
  ['GET', '/iam/admin/users'],
];
const forPages: [string, string][] = [
  ['GET', '/iam/authorize?client_id=spa&display=widget'],
  ['GET', '/iam/callback/wechat'],
  ['POST', '/iam/follow'],
  ['GET', '/iam/confirm/wechat?login=x'],
  ['POST', '/iam/webhook/wechat'],
];

const strangers: [string, string][] = [
  ['null', 'null'],
  ['another domain after it', `${good}.evil.example`],
  ['another domain before it', 'https://evil-spa.example.com'],
  ['http', good.replace('https', 'http')],
  ['upper case', good.toUpperCase()],
  ['a trailing dot', `${good}.`],
  ['the default port', `${good}:443`],
  ['another port', `${good}:8443`],
  ['a slash', `${good}/`],
  ['a path', `${good}/iam`],
  ['two origins', `${good}, https://evil.example`],
  ['two origins by a space', `https://evil.example ${good}`],
  ['a user', 'https://user@spa.example.com'],
  ['a star', '*'],
  ['nothing', ''],
];

interface Received {
  readonly status: number | undefined;
  /** Every value of a header as it came over the wire, so that a doubled one shows. */
  all(name: string): string[];
  readonly corsHeaders: string[];
}

function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const sent = rawRequest(url, { method, headers }, (response) => {
      const pairs = response.rawHeaders.flatMap((name, index, raw) =>
        index % 2 === 0 ? [[name.toLowerCase(), raw[index + 1] ?? ''] as const] : [],
      );
      response.resume();
      resolve({
        status: response.statusCode,
        all: (wanted) => pairs.filter(([name]) => name === wanted).map(([, value]) => value),
        corsHeaders: pairs.map(([name]) => name).filter((name) => name.startsWith('access-control-')),
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

const preflightOf = (method: string, origin: string) => ({
  origin,
  'access-control-request-method': method,
  'access-control-request-headers': 'authorization,content-type,if-match',
});

const policies: [string, (app: INestApplication) => void][] = [
  ['no CORS', () => undefined],
  ['CORS for everybody', (app) => app.enableCors()],
  [
    'CORS that reflects every origin with cookies',
    (app) => app.enableCors({ origin: true, credentials: true, exposedHeaders: ['x-host'] }),
  ],
  ['CORS for one site', (app) => app.enableCors({ origin: ['https://host.example'], credentials: true })],
];
const hosts = platforms.flatMap(([platform, create]) =>
  policies.map(([policy, prepare]) => [policy, platform, { create, prepare }] as const),
);

describe.each(hosts)('a host with %s on %s', (policy, _platform, { create, prepare }) => {
  let database: TestDatabase;
  let iam: IamApp;

  beforeAll(async () => {
    database = await createDatabase(migrated);
    const nowhere = 'http://127.0.0.1:9';
    const endpoints = { api: nowhere, open: nowhere, mp: nowhere };
    const imports = [OrdersModule];
    iam = await startIamApp({ databaseUrl: database.url, endpoints, options, imports, create, prepare });
  });
  afterAll(async () => {
    await iam.close();
    await database.drop();
  });

  const ask = (method: string, path: string, headers?: Readonly<Record<string, string>>) =>
    send(`${iam.url}${path}`, method, headers);

  it.each(forScripts)(
    'lets scripts of a client’s origin read the answer of %s %s, errors too',
    async (method, path) => {
      const reply = await ask(method, path, { origin: good });

      expect(reply.all('access-control-allow-origin')).toEqual([good]);
      expect(reply.all('access-control-allow-credentials')).toEqual([]);
      expect(reply.all('access-control-expose-headers')).toEqual(['ETag, Retry-After, WWW-Authenticate']);
      expect(reply.all('vary').join()).toMatch(/\borigin\b/i);
      expect(
        reply
          .all('vary')
          .join()
          .match(/\borigin\b/gi),
      ).toHaveLength(1);
    },
  );

  it.each(forScripts)('lets the scripts of a cookie client send cookies to %s %s', async (method, path) => {
    const replies = [
      await ask(method, path, { origin: cookieOrigin }),
      await ask(method, path, { origin: both }),
    ];

    expect(replies.map((reply) => reply.all('access-control-allow-origin'))).toEqual([
      [cookieOrigin],
      [both],
    ]);
    expect(replies.map((reply) => reply.all('access-control-allow-credentials'))).toEqual([
      ['true'],
      ['true'],
    ]);
  });

  it.each(strangers)('tells the scripts of no other origin anything: %s', async (_case, origin) => {
    for (const [method, path] of forScripts) {
      const reply = await ask(method, path, { origin });

      expect(reply.corsHeaders).toEqual([]);
      expect(reply.all('vary').join()).toMatch(/\borigin\b/i);
      const preflight = await ask('OPTIONS', path, preflightOf(method, origin));
      expect(preflight.corsHeaders).toEqual([]);
    }
  });

  it.each(forPages)('keeps %s %s to navigations and our own pages', async (method, path) => {
    const reply = await ask(method, path, { origin: cookieOrigin });
    const preflight = await ask('OPTIONS', path, preflightOf(method, cookieOrigin));

    expect([...reply.corsHeaders, ...preflight.corsHeaders]).toEqual([]);
  });

  it.each(forScripts)('answers the preflight of %s %s', async (method, path) => {
    const reply = await ask('OPTIONS', path, preflightOf(method, good));

    expect(reply.status).toBe(204);
    expect(reply.all('access-control-allow-origin')).toEqual([good]);
    expect(reply.all('access-control-allow-methods')).toEqual(['GET, POST, PUT, PATCH, DELETE']);
    expect(reply.all('access-control-allow-headers')).toEqual(['Authorization, Content-Type, If-Match']);
    expect(reply.all('access-control-max-age')).toEqual(['600']);
    expect(reply.all('access-control-allow-credentials')).toEqual([]);
    expect(reply.all('vary').join()).toMatch(/\borigin\b/i);
  });

  it('lets a cookie client’s preflight announce cookies', async () => {
    const reply = await ask('OPTIONS', '/iam/token', preflightOf('POST', cookieOrigin));

    expect(reply.all('access-control-allow-origin')).toEqual([cookieOrigin]);
    expect(reply.all('access-control-allow-credentials')).toEqual(['true']);
  });

  it('lets a client’s scripts read the metadata at the RFC’s own path too', async () => {
    const reply = await ask('GET', '/.well-known/oauth-authorization-server', { origin: good });

    expect(reply.status).toBe(200);
    expect(reply.all('access-control-allow-origin')).toEqual([good]);
  });

  it('tells caches that what is personal depends on who asks', async () => {
    const reply = await ask('GET', '/iam/me');

    expect(reply.corsHeaders).toEqual([]);
    const names = reply.all('vary').join().toLowerCase().split(', ');
    expect(names.sort()).toEqual(expect.arrayContaining(['authorization', 'cookie', 'origin']));
    expect(new Set(names).size).toBe(names.length);
  });

  it('leaves the host’s own routes to the host', async () => {
    const origin = 'https://host.example';
    const { corsHeaders, all } = await ask('GET', '/orders', { origin });
    const stranger = await ask('GET', '/orders', { origin: good });
    const preflight = await ask('OPTIONS', '/orders', preflightOf('GET', origin));

    const answers = {
      'no CORS': [[], []],
      'CORS for everybody': [['*'], ['*']],
      'CORS that reflects every origin with cookies': [[origin], [good]],
      'CORS for one site': [[origin], []],
    }[policy];
    expect([all('access-control-allow-origin'), stranger.all('access-control-allow-origin')]).toEqual(
      answers,
    );
    expect(preflight.all('access-control-allow-origin')).toEqual(answers?.[0]);
    expect(corsHeaders.includes('access-control-allow-origin')).toBe(policy !== 'no CORS');
  });
});

describe('CORS', () => {
  it('is off for a host whose clients name no origins, whatever the host allows its own routes', async () => {
    const database = await createDatabase(migrated);
    const nowhere = 'http://127.0.0.1:9';
    const iam = await startIamApp({
      databaseUrl: database.url,
      endpoints: { api: nowhere, open: nowhere, mp: nowhere },
      prepare: (app) => app.setGlobalPrefix('api').enableCors({ origin: true, credentials: true }),
    });

    const own = await send(`${iam.url}/api/iam/providers`, 'GET', { origin: iam.url });
    const foreign = await send(`${iam.url}/api/iam/providers`, 'GET', { origin: good });
    const preflight = await send(`${iam.url}/api/iam/token`, 'OPTIONS', preflightOf('POST', good));
    await iam.close();
    await database.drop();

    expect([own.status, own.corsHeaders]).toEqual([200, []]);
    expect([foreign.corsHeaders, preflight.corsHeaders]).toEqual([[], []]);
  });
});
