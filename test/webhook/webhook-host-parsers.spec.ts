import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  Controller,
  type DynamicModule,
  type INestApplication,
  Module,
  type NestApplicationOptions,
  Post,
  Req,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import express from 'express';
import { LogCapture } from '../support/log-capture.js';
import { platforms, quietOptions, type Create } from '../support/platforms.js';
import { post, sealed, startWebhookWorld, textFields, type WebhookWorld } from '../support/webhook.js';

type Next = (error?: unknown) => void;

/** A parser of a host's own: takes the bytes of every request and waits for their end. */
function swallow(request: IncomingMessage & { text?: string }, _response: ServerResponse, next: Next): void {
  let text = '';
  request.on('data', (chunk: Buffer) => (text += chunk.toString()));
  request.on('end', () => {
    request.text = text;
    next();
  });
}

/** Another: insists on XML. */
function insist(request: IncomingMessage, _response: ServerResponse, next: Next): void {
  readText(request).then((text) => {
    if (text !== '' && !text.startsWith('<host>')) next(new Error('not the XML of this host'));
    else next();
  }, next);
}

@Controller('host')
class HostController {
  @Post('echo')
  echo(@Req() request: { readonly body: unknown }): unknown {
    return { body: request.body };
  }
}

@Module({ controllers: [HostController] })
class HostModule {}

type HostOptions = Pick<NestApplicationOptions, 'logger' | 'abortOnError' | 'bodyParser' | 'rawBody'>;

const prepared =
  (changes: HostOptions, prepare: (app: NestExpressApplication) => void): Create =>
  async (module) => {
    const options: HostOptions = { ...quietOptions, ...changes };
    const app = await NestFactory.create<NestExpressApplication>(module, options);
    prepare(app);
    return app;
  };

const onOwnExpress: Create = async (module) => {
  const own = express();
  own.use(express.json(), express.text({ type: '*/*' }), swallow);
  return NestFactory.create(module, new ExpressAdapter(own), quietOptions);
};

const preparedFastify =
  (prepare: (app: NestFastifyApplication) => void): Create =>
  async (module) => {
    const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), quietOptions);
    prepare(app);
    return app;
  };

const withoutMiddleware: Create = (module) =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ skipMiddie: true }), quietOptions);

const inTestingModule =
  (adapter?: () => FastifyAdapter): Create =>
  async (module: DynamicModule): Promise<INestApplication> => {
    const testing = await Test.createTestingModule({ imports: [module] })
      .setLogger(new LogCapture())
      .compile();
    if (adapter === undefined) return testing.createNestApplication(quietOptions);
    return testing.createNestApplication<NestFastifyApplication>(adapter(), quietOptions);
  };

const hosts: [string, Create][] = [
  ...platforms,
  ['Express with rawBody', prepared({ rawBody: true }, () => undefined)],
  ['Express without parsers', prepared({ bodyParser: false }, () => undefined)],
  ['Express that reads everything as text', prepared({}, (app) => app.use(express.text({ type: '*/*' })))],
  [
    'Express that reads everything as bytes',
    prepared({}, (app) => app.use(express.raw({ type: () => true }))),
  ],
  ['Express that takes everything for JSON', prepared({}, (app) => app.use(express.json({ type: '*/*' })))],
  ['Express with parsers of its own', prepared({ bodyParser: false }, (app) => app.use(swallow, insist))],
  ['Express with parsers before Nest', onOwnExpress],
  ['Express in a testing module', inTestingModule()],
  [
    'Fastify that reads everything as text',
    preparedFastify((app) =>
      app.useBodyParser('*', { bodyLimit: 64 }, (_request, _body, done) => done(null, 'x')),
    ),
  ],
  [
    'Fastify with middleware of Express',
    preparedFastify((app) =>
      app
        .use(express.text({ type: '*/*' }))
        .use(swallow)
        .use(insist),
    ),
  ],
  ['Fastify without middleware', withoutMiddleware],
  ['Fastify in a testing module', inTestingModule(() => new FastifyAdapter())],
];

describe.each(hosts)('on %s', (_name, create) => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { create, imports: [HostModule] });
  });
  afterAll(() => world.close());

  it('the webhook reads XML and JSON, whatever the content type says', async () => {
    const types = [
      'text/xml',
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      '',
    ];

    const answers = await Promise.all(
      types.map((type) => post(world.webhook, sealed(textFields(type), world), { 'content-type': type })),
    );

    expect(answers.map(({ status, text }) => [status, text])).toEqual(types.map(() => [200, 'success']));
  });

  it('broken JSON to the token endpoint is refused as RFC 6749 says', async () => {
    const response = await fetch(`${world.url}/iam/token`, {
      method: 'POST',
      body: '{"grant_type":',
      headers: { 'content-type': 'application/json' },
    });

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'invalid_request' });
  });
});

describe.each(platforms)('the webhook on %s', (_name, create) => {
  let world: WebhookWorld;

  beforeAll(async () => {
    world = await startWebhookWorld({}, { create, imports: [HostModule] });
  });
  afterAll(() => world.close());

  const target = () => {
    const { query } = sealed(textFields('x'), world);
    return `/iam/webhook/wechat?${new URLSearchParams(query).toString()}`;
  };

  /** Writes to a socket piece by piece and gives what came back until it was closed or a second of silence passed. */
  const raw = async (...pieces: (string | Buffer | number)[]): Promise<string> => {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (const piece of pieces) {
      if (socket.closed) break;
      if (typeof piece === 'number') await Promise.race([closed, delay(piece)]);
      else if (socket.writable) socket.write(piece);
    }
    for (let waited = 0; waited < 5_000 && !received.includes('\r\n\r\n'); waited += 50)
      await Promise.race([closed, delay(50)]);
    socket.destroy();
    return received;
  };

  it('leaves the bodies of the host to the host', async () => {
    const response = await fetch(`${world.url}/host/echo`, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });

    expect(await response.json()).toEqual({ body: { a: 1 } });
  });

  it('counts the bytes it reads and not those it is promised', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;

    const answer = await raw(
      `POST ${target()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
      ...Array<string>(40).fill(chunk),
    );

    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"payload_too_large"');
  });

  it('refuses a body that is too large by its own word', async () => {
    const response = await post(world.webhook, { query: {}, body: 'x'.repeat(65 * 1024) });

    expect([response.status, response.code]).toEqual([413, 'payload_too_large']);
  });

  it('does not wait for a body that comes a byte at a time', async () => {
    const started = performance.now();
    const bytes = Array.from({ length: 20 }, () => ['x', 250]).flat();

    const answer = await raw(`POST ${target()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n`, ...bytes);

    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"request_too_slow"');
    expect(performance.now() - started).toBeLessThan(9_000);
  });

  it('does not unpack a compressed body', async () => {
    const { query, body } = sealed(textFields('x'), world);
    const bomb = gzipSync(Buffer.concat([Buffer.from(body), Buffer.alloc(10_000_000, 32)]));

    const response = await fetch(`${world.webhook}?${new URLSearchParams(query).toString()}`, {
      method: 'POST',
      body: new Uint8Array(bomb),
      headers: { 'content-encoding': 'gzip' },
    });

    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ code: 'content_encoding_unsupported' });
  });

  it('survives a sender that hangs up, and answers the next', async () => {
    for (const hangUp of ['destroy', 'resetAndDestroy'] as const) {
      const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
      socket.write(`POST ${target()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc`);
      await delay(20);
      socket[hangUp]();
    }

    const next = await post(world.webhook, sealed(textFields('x'), world));

    expect(next.text).toBe('success');
  });

  it('reads two messages on one connection', async () => {
    const request = () => {
      const { query, body } = sealed(textFields('x'), world);
      return `POST /iam/webhook/wechat?${new URLSearchParams(query).toString()} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    };

    const answers = await raw(request(), 300, request(), 300, request() + request(), 700);

    expect(answers.match(/HTTP\/1\.1 200 /g)).toHaveLength(4);
  });

  it('is found under another spelling of its path, and takes no body of another path', async () => {
    const { query, body } = sealed(textFields('x'), world);
    const at = (path: string) =>
      fetch(`${world.url}${path}?${new URLSearchParams(query).toString()}`, { method: 'POST', body });

    const withSlash = await at('/iam/webhook/wechat/');
    const elsewhere = await at('/iam/webhooks/wechat');

    expect(withSlash.status).toBe(200);
    expect(elsewhere.status).toBe(404);
  });
});

describe('the webhook under a global prefix', () => {
  it.each(platforms)('reads its messages on %s', async (_name, create) => {
    const world = await startWebhookWorld(
      {},
      { create, path: 'auth', prepare: (app) => app.setGlobalPrefix('Api/v1') },
    );

    const answer = await post(`${world.url}/Api/v1/auth/webhook/wechat`, sealed(textFields('x'), world));
    await world.close();

    expect([answer.status, answer.text]).toEqual([200, 'success']);
  });
});
