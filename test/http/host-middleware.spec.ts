import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  Controller,
  type DynamicModule,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestApplicationOptions,
  type NestModule,
  Post,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { IamError } from '../../src/errors/iam.error.js';
import { readBody } from '../../src/http/request-body.js';
import { isIamRequest } from '../../src/index.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode } from '../support/follow.js';
import { addMiddleware, CsrfMiddleware, refuseForgery, type Seen } from '../support/hostile-host.js';
import { type IamApp, startIamApp } from '../support/iam-app.js';
import { migrated } from '../support/templates.js';
import { PcBrowser, type Reply, type Visit } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { getWith } from '../support/sign-in.js';
import { inWechat, refresh } from '../support/signed-in.js';
import { post, sealed, startWebhookWorld, textFields, type WebhookWorld } from '../support/webhook.js';

@Controller('iam/custom')
class HostController {
  @Post()
  create() {
    return {};
  }
}

@Module({ controllers: [HostController] })
class HostModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(CsrfMiddleware).forRoutes('*path');
  }
}

describe.each(platforms)('on %s, the middleware of the host', (_name, create) => {
  let world: WebhookWorld;
  const seen: Seen = [];

  beforeAll(async () => {
    const prepare = (app: INestApplication) => {
      addMiddleware(app, seen);
      app.use(refuseForgery);
    };
    const options = { ...adminOptions, rateLimits: 'off' } as const;
    world = await startWebhookWorld({}, { create, prepare, options, imports: [HostModule] });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    seen.length = 0;
  });

  it('is passed by no request to the module', async () => {
    const lan = await inWechat(world, world.wechat.person({ nickname: '小兰' }));
    const renewed = await refresh(world.url, lan.refreshToken);
    const admin = await new AdminClient(world.url).post('roles', { name: 'clerk', permissions: [] });
    const pushed = await post(world.webhook, sealed(textFields('x'), world));

    expect(renewed.json()).toMatchObject({ token_type: 'Bearer' });
    expect([admin.status, admin.headers.get('etag')]).toEqual([201, admin.etag]);
    expect([pushed.status, pushed.text]).toEqual([200, 'success']);
    expect(seen.filter((each) => each.includes('/iam/'))).toEqual([]);
  });

  it('changes nothing of what the module answers', async () => {
    const { headers, text } = await new PcBrowser().visit(`${world.url}/iam/providers`, {
      headers: { 'accept-encoding': 'gzip', 'if-none-match': '*' },
    });

    expect(JSON.parse(text)).toMatchObject({ browser: 'pc' });
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect([headers.get('x-host'), headers.get('etag'), headers.get('content-encoding')]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('still stands before the host’s own routes, also below the path of the module', async () => {
    const replies = [
      await new PcBrowser().visit(`${world.url}/iam/custom`, { body: {} }),
      await new PcBrowser().visit(`${world.url}/iam/token`, { method: 'PUT', body: {} }),
    ];

    expect(replies.map(({ status }) => status)).toEqual([403, 403]);
    expect(seen.filter((each) => !each.startsWith('preHandler'))).toEqual([
      'POST /iam/custom',
      'PUT /iam/token',
    ]);
  });
});

describe.each(platforms)('on %s with `hostMiddleware: run`, the middleware of the host', (_name, create) => {
  let world: WebhookWorld;
  const seen: Seen = [];
  const told: boolean[] = [];

  beforeAll(async () => {
    const prepare = (app: INestApplication) => {
      addMiddleware(app, seen);
      app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
        told.push(isIamRequest(request));
        if (isIamRequest(request)) next();
        else refuseForgery(request, response, next);
      });
    };
    const options = { ...adminOptions, rateLimits: 'off', hostMiddleware: 'run' } as const;
    world = await startWebhookWorld({ qr_enabled: true }, { create, prepare, options });
  });
  afterAll(() => world.close());
  beforeEach(() => {
    seen.length = 0;
    told.length = 0;
  });

  it('runs, is told which requests are the module’s, and lets them pass', async () => {
    const refused = await refresh(world.url, 'nonsense');
    const pushed = await post(world.webhook, sealed(textFields('x'), world));
    await new PcBrowser().visit(`${world.url}/elsewhere`, { body: {} });

    expect(refused.json()['error']).toBe('invalid_grant');
    expect([pushed.status, pushed.text]).toEqual([200, 'success']);
    expect(seen).toContain('POST /iam/token');
    expect(told).toEqual([true, true, false]);
  });

  it('changes neither type nor content of an answer', async () => {
    const lan = await inWechat(world, world.wechat.person({ nickname: '小兰' }));
    const reply = await getWith(`${world.url}/iam/me`, lan.accessToken);
    const odd = await getWith(`${world.url}/IAM/Me/`, lan.accessToken);

    for (const { headers, text } of [reply, odd]) {
      expect(JSON.parse(text)).toMatchObject({ id: lan.id });
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(headers.get('cache-control')).toBe('no-store');
      expect([headers.get('x-host'), headers.get('etag')]).toEqual(['seen', null]);
    }
  });

  it('does not hold back the events of a scan', async () => {
    const device = await askForQrCode(world.url);
    const stream = await openEvents(device.eventsUri);
    stream.close();

    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-encoding')).toBeNull();
  });
});

type Create = (module: DynamicModule) => Promise<INestApplication>;

type HostOptions = Pick<NestApplicationOptions, 'logger' | 'bodyParser'>;

const quiet: HostOptions = { logger: false };

const quietWithoutParsers: HostOptions = { logger: false, bodyParser: false };

const express: Create = (module) => NestFactory.create(module, quiet);

const expressWithoutParsers: Create = (module) => NestFactory.create(module, quietWithoutParsers);

const expressWithTextOnly: Create = async (module) => {
  const app = await NestFactory.create<NestExpressApplication>(module, quietWithoutParsers);
  return app.useBodyParser('text', { type: () => true });
};

const fastify: Create = (module) =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), quiet);

const fastifyWithoutParsers: Create = (module) =>
  NestFactory.create<NestFastifyApplication>(
    module,
    new FastifyAdapter({ bodyLimit: 512 }),
    quietWithoutParsers,
  );

const grant = {
  grant_type: 'authorization_code',
  client_id: 'web',
  code: 'unknown',
  code_verifier: 'v'.repeat(43),
};

describe.each([
  ['Express', express],
  ['Express without parsers', expressWithoutParsers],
  ['Express that reads everything as text', expressWithTextOnly],
  ['Fastify', fastify],
  ['Fastify without parsers', fastifyWithoutParsers],
])('the token endpoint on %s', (_host, create) => {
  let database: TestDatabase;
  let iam: IamApp;

  beforeAll(async () => {
    database = await createDatabase(migrated);
    const nowhere = 'http://127.0.0.1:9';
    const endpoints = { api: nowhere, open: nowhere, mp: nowhere };
    iam = await startIamApp({ databaseUrl: database.url, endpoints, create });
  });
  afterAll(async () => {
    await iam.close();
    await database.drop();
  });

  const ask = (visit: Visit): Promise<Reply> => new PcBrowser().visit(`${iam.url}/iam/token`, visit);
  const raw = (body: string, type: string): Promise<Response> =>
    fetch(`${iam.url}/iam/token`, { method: 'POST', body, headers: { 'content-type': type } });

  it('reads forms and JSON', async () => {
    const replies = await Promise.all([ask({ form: grant }), ask({ body: grant })]);

    expect(replies.map(({ status }) => status)).toEqual([400, 400]);
    expect(replies.map((reply) => reply.json()['error'])).toEqual(['invalid_grant', 'invalid_grant']);
  });

  it.each([
    ['broken JSON', '{"grant_type":', 'application/json'],
    ['a charset that does not exist', '{}', 'application/json; charset=x'],
    ['a type that nobody parses', '<grant/>', 'application/xml'],
  ])('refuses %s as RFC 6749 says', async (_what, body, type) => {
    const response = await raw(body, type);

    expect(response.status).toBe(400);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ error: 'invalid_request' });
  });

  it('refuses a body that is too large and goes on with the connection', async () => {
    const refused = await ask({ form: { ...grant, code: 'x'.repeat(500_000) } });
    const next = await ask({ form: grant });

    expect([refused.status, refused.json()['error']]).toEqual([413, 'invalid_request']);
    expect(next.json()['error']).toBe('invalid_grant');
  });
});

async function withServer<T>(listener: RequestListener, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${portOf(server.address())}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Reads the body with us first and with `reader` afterwards, and tells what both saw. */
function readTwice(
  reader: (request: IncomingMessage) => Promise<unknown>,
  init: RequestInit,
): Promise<{ ours: string; theirs: unknown; headers: string[] }> {
  return withServer(
    (request, response) => {
      void (async () => {
        const { bytes } = await readBody(request);
        const theirs = await reader(request);
        response.end(
          JSON.stringify({ ours: bytes.toString(), theirs, headers: Object.keys(request.headers) }),
        );
      })();
    },
    async (url) =>
      (await fetch(url, init)).json() as Promise<{ ours: string; theirs: unknown; headers: string[] }>,
  );
}

const readers: [string, (request: IncomingMessage) => Promise<unknown>][] = [
  ['listens', (request) => listen(request)],
  ['iterates', (request) => text(request)],
  [
    'listens a little later',
    (request) => new Promise((resolve) => setImmediate(() => resolve(listen(request)))),
  ],
  ['pipes', (request) => text(request.pipe(new PassThrough()))],
];

function listen(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    request.on('data', (chunk: Buffer) => (received += chunk.toString()));
    request.on('end', () => resolve(received));
  });
}

describe('readBody', () => {
  it.each(readers)('leaves an empty body to whoever %s afterwards', async (_how, reader) => {
    for (const body of ['{"a":1}', 'x'.repeat(60_000)]) {
      const seen = await readTwice(reader, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });

      expect(seen.ours).toBe(body);
      expect(seen.theirs).toBe('');
      expect(seen.headers).not.toContain('content-type');
      expect(seen.headers).not.toContain('content-length');
    }
  });

  it('reads a body whose length is not told beforehand', async () => {
    const body = new ReadableStream({
      async start(controller) {
        for (const piece of ['a', 'b', 'c']) {
          controller.enqueue(new TextEncoder().encode(piece));
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        controller.close();
      },
    });

    const seen = await readTwice(listen, { method: 'POST', body, duplex: 'half' });

    expect(seen).toMatchObject({ ours: 'abc', theirs: '' });
    expect(seen.headers).not.toContain('transfer-encoding');
  });

  it('reads a request without a body', async () => {
    expect(await readTwice(listen, { method: 'POST' })).toMatchObject({ ours: '', theirs: '' });
  });

  it('reads a request that shows its end by nothing but the event, as those of Fastify’s inject do', async () => {
    const request = Object.assign(Readable.from([Buffer.from('a'), Buffer.from('b')]), {
      headers: { 'content-length': '2' },
      httpVersionMajor: 1,
    });

    const { bytes } = await readBody(request as unknown as IncomingMessage);

    expect(bytes.toString()).toBe('ab');
  });

  it('parses forms and JSON, and leaves everything else a text', async () => {
    const parsedAs = async (type: string, body: string) =>
      withServer(
        (request, response) => {
          void readBody(request).then(({ parsed }) => response.end(JSON.stringify(parsed ?? 'nothing')));
        },
        async (url) => (await fetch(url, { method: 'POST', body, headers: { 'content-type': type } })).json(),
      );

    expect(await parsedAs('application/json; charset=utf-8', '{"a":[1]}')).toEqual({ a: [1] });
    expect(await parsedAs('application/vnd.x+json', '{"a":1}')).toEqual({ a: 1 });
    expect(await parsedAs('application/x-www-form-urlencoded', 'a=1&b=2&b=3')).toEqual({
      a: '1',
      b: ['2', '3'],
    });
    expect(await parsedAs('application/json', '{"a":')).toBe('{"a":');
    expect(await parsedAs('text/xml', '<a/>')).toBe('<a/>');
    expect(await parsedAs('application/json', '')).toBe('nothing');
  });

  it('gives up on a sender that hangs up', async () => {
    const request = Object.assign(new Readable({ read: () => undefined }), {
      headers: { 'content-length': '2' },
      httpVersionMajor: 1,
      complete: false,
    });
    setImmediate(() => request.destroy());

    const error: unknown = await readBody(request as unknown as IncomingMessage).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(IamError);
    expect(error).toMatchObject({ code: 'invalid_request' });
  });
});
