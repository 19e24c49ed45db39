import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { Controller, Get, Module, NotFoundException, Query, UseFilters } from '@nestjs/common';
import { endpointsOf, iamControllers } from '../../src/http/endpoint.decorator.js';
import { IamErrorFilter, IamUsers } from '../../src/index.js';
import { adminOptions, adminToken } from '../support/admin.js';
import type { CrowdedHost } from '../support/crowded-host.js';
import { accountFlows } from '../support/full-host-accounts.js';
import { adminFlows } from '../support/full-host-administration.js';
import { signInFlows } from '../support/full-host-sign-ins.js';
import { type FullHost, startFullHost } from '../support/full-host.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { onFastify, platforms } from '../support/platforms.js';
import { SeenResponses } from '../support/seen-answers.js';

interface Raw {
  readonly head?: readonly string[];
  readonly body?: string;
}

/** Sends a request line and headers as they are, which no HTTP client would let pass. */
async function send(url: string, line: string, { head = [], body = '' }: Raw): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  socket.write(
    [`${line} HTTP/1.1`, 'Host: x', ...length, ...head, 'Connection: close', '', body].join('\r\n'),
  );
  return readText(socket);
}

/** What a client notices of an answer, but for what differs from request to request. */
function parse(answer: string) {
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const [status = '', ...lines] = head.split('\r\n');
  const headers = lines
    .map((each) => each.replace(/^([^:]+): ?/, (_all, name: string) => `${name.toLowerCase()}: `))
    .filter((each) => !/^(date|x-request-id|connection|keep-alive|x-powered-by|content-length):/.test(each))
    .map((each) => each.replace(/charset=UTF-8/i, 'charset=utf-8'))
    .toSorted();
  const body = rest.join('\r\n\r\n').replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'an id');
  return { status, headers, body };
}

const form = ['Content-Type: application/x-www-form-urlencoded'];

const json = ['Content-Type: application/json'];

const asAdmin = [`Authorization: Bearer ${adminToken}`];

const nobody = '0198c0de-0000-7000-8000-000000000000';

/** Each request, and the status that it is answered with on either platform. */
const requests: [name: string, status: number, line: string, raw?: Raw][] = [
  ['a slash at the end', 401, 'GET /iam/me/'],
  ['a slash at the end of a parameter', 404, `GET /iam/admin/users/${nobody}/`, { head: asAdmin }],
  ['upper case', 401, 'GET /IAM/Me'],
  ['encoded letters', 401, 'GET /iam/m%65'],
  ['an encoded slash in a parameter', 404, 'POST /iam/webhook/a%2Fb', { body: 'x' }],
  ['an absolute address', 401, 'GET http://x/iam/me'],
  ['HEAD', 200, 'HEAD /iam/jwks'],
  ['HEAD that is refused', 401, 'HEAD /iam/me'],
  ['OPTIONS', 204, 'OPTIONS /iam/me/phone_number'],
  ['JSON without a body', 400, 'POST /iam/token', { head: json }],
  ['a form without a body', 400, 'POST /iam/token', { head: form }],
  ['nothing at all', 400, 'POST /iam/token'],
  ['broken JSON', 400, 'POST /iam/token', { head: json, body: '{"a":' }],
  [
    'another charset',
    400,
    'POST /iam/token',
    { head: ['Content-Type: application/json; charset=latin1'], body: '{}' },
  ],
  ['an unknown type', 400, 'POST /iam/token', { head: ['Content-Type: application/x-unknown'], body: 'a=1' }],
  ['a broken type', 400, 'POST /iam/token', { head: ['Content-Type: ;;'], body: 'a=1' }],
  ['a parameter given twice', 400, 'POST /iam/token', { head: form, body: 'client_id=web&client_id=web' }],
  ['a query parameter given twice', 400, 'GET /iam/authorize?client_id=web&client_id=web'],
  ['brackets in a query', 400, 'GET /iam/authorize?client_id[a]=web'],
  [
    'a header given twice',
    401,
    'GET /iam/me',
    { head: ['Authorization: Bearer a', 'Authorization: Bearer b'] },
  ],
  [
    'DELETE with a body',
    404,
    `DELETE /iam/admin/users/${nobody}`,
    { head: [...asAdmin, ...json, 'If-Match: *'], body: '{"reason":"x"}' },
  ],
  [
    'DELETE with broken JSON',
    404,
    `DELETE /iam/admin/users/${nobody}`,
    { head: [...asAdmin, ...json, 'If-Match: *'], body: '{' },
  ],
  ['GET with a body', 401, 'GET /iam/me', { head: json, body: '{}' }],
  ['a body that is too large', 413, 'POST /iam/token', { head: form, body: 'x'.repeat(66_000) }],
  [
    'a condition on what is stored',
    200,
    'GET /iam/jwks',
    { head: ['If-None-Match: *', 'If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT'] },
  ],
  ['a range', 200, 'GET /iam/jwks', { head: ['Range: bytes=0-3'] }],
  [
    'a navigation that is refused',
    400,
    'GET /iam/callback/wechat?state=x&code=y',
    { head: ['Accept: text/html'] },
  ],
];

/** What is no endpoint of the module, and what the host answers with. */
const elsewhere: [name: string, line: string, raw?: Raw][] = [
  ['two slashes at the end', 'GET /iam/me//'],
  ['two slashes inside', 'GET /iam//me'],
  ['an encoded slash in place of a slash', 'GET /iam%2Fme'],
  ['a semicolon', 'GET /iam/me;a=1'],
  ['OPTIONS of a path that is not there', 'OPTIONS /iam/nowhere'],
  ['a method that the path does not have', 'PUT /iam/me', { head: json, body: '{}' }],
  ['a path that is not there', 'GET /iam/nowhere'],
  ['the path of the module alone', 'GET /iam'],
];

describe('a request with', () => {
  let express: World;
  let fastify: IamApp;

  beforeAll(async () => {
    express = await startWorld({ options: adminOptions });
    fastify = await startReplica(express, { create: onFastify, options: adminOptions });
  });
  afterAll(async () => {
    await fastify.close();
    await express.close();
  });

  it.each(requests)(
    '%s is answered %i, with the same headers and body on Express and Fastify',
    async (_name, status, line, raw = {}) => {
      const [here, there] = [
        parse(await send(express.url, line, raw)),
        parse(await send(fastify.url, line, raw)),
      ];

      expect(here).toEqual(there);
      expect(here.status).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
    },
  );

  it.each(elsewhere)('%s is the host’s on both', async (_name, line, raw = {}) => {
    const [here, there] = [
      parse(await send(express.url, line, raw)),
      parse(await send(fastify.url, line, raw)),
    ];

    expect([here.status, here.body]).toEqual([there.status, there.body]);
    expect(here.status).toBe('HTTP/1.1 404 Not Found');
  });
});

@UseFilters(IamErrorFilter)
@Controller('host')
class HostController {
  constructor(private readonly users: IamUsers) {}

  @Get('bind')
  bind(@Query('token') token: string) {
    return this.users.bind(token, { externalId: '7' });
  }

  @Get('own')
  own() {
    throw new NotFoundException('the host’s own words');
  }
}

@Module({ controllers: [HostController] })
class HostModule {}

describe('IamErrorFilter on a route of the host', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ imports: [HostModule] });
  });
  afterAll(() => world.close());

  const ask = (path: string) =>
    new PcBrowser().visit(`${world.url}/host/${path}`, {
      headers: { accept: 'application/json', 'accept-language': 'en' },
    });

  it('answers what the module’s services throw as on the module’s routes', async () => {
    const reply = await ask('bind?token=nonsense');

    expect(reply.status).toBe(400);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.json()).toMatchObject({ status: 400, code: 'binding_token_invalid' });
  });

  it('leaves the host’s own errors alone', async () => {
    const reply = await ask('own');

    expect([reply.status, reply.json()['message']]).toEqual([404, 'the host’s own words']);
  });
});

describe.each(platforms)('the metadata on %s', (_name, create) => {
  const names = ['oauth-authorization-server', 'openid-configuration'];

  @Controller('.well-known')
  class HostController {
    @Get('oauth-authorization-server')
    show(): Record<string, string> {
      return { issuer: 'https://another.example' };
    }
  }

  @Module({ controllers: [HostController] })
  class HostModule {}

  const visit = (url: string, name: string) => new PcBrowser().visit(`${url}/.well-known/${name}`);

  it('is the same document at the root and under the path, by the name of either standard', async () => {
    const world = await startWorld({ create });

    const roots = [world.url, `${world.url}/iam`];
    const replies = await Promise.all(roots.flatMap((url) => names.map((name) => visit(url, name))));
    await world.close();

    const [first, ...others] = replies.map((reply) => reply.json());
    expect(first).toMatchObject({ issuer: world.url, userinfo_endpoint: `${world.url}/iam/userinfo` });
    expect(others).toEqual([first, first, first]);
  });

  it('is the host’s under the name for which the host has a route', async () => {
    const world = await startWorld({ create, imports: [HostModule] });

    const replies = [
      ...(await Promise.all(names.map((name) => visit(world.url, name)))),
      await visit(`${world.url}/iam`, 'oauth-authorization-server'),
    ];
    await world.close();

    expect(replies.map((reply) => reply.json()['issuer'])).toEqual([
      'https://another.example',
      world.url,
      world.url,
    ]);
  });
});

/** Every endpoint that there is, so that a new one is missed by itself. */
const endpoints = iamControllers
  .flatMap((controller) => endpointsOf(controller))
  // Of IamPagesModule, which this host does not import: another test file may have.
  .filter(({ path }) => !path.startsWith('ui/'))
  .map(({ method, path }) => ({
    name: `${method} ${path}`,
    method,
    pattern: new RegExp(`^/iam/${path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`),
  }));

describe.each<CrowdedHost>(['Express', 'Fastify'])(
  'in a host on %s with caches, envelopes, a time limit, CSRF checks, throttlers, helmet and compression',
  (crowded) => {
    const seen = new SeenResponses();
    let host: FullHost;

    beforeAll(async () => {
      host = await startFullHost(crowded);
    });
    afterAll(async () => {
      seen.stop();
      await host.close();
    });
    const ours = () =>
      seen.list.filter(({ url }) => url.origin === host.url && url.pathname.startsWith('/iam/'));

    it.each(signInFlows)('people %s', (_flow, play) => play(host));
    it.each(accountFlows)('signed-in people %s', (_flow, play) => play(host));
    it.each(adminFlows)('administrators %s', (_flow, play) => play(host));

    it('every endpoint has answered with success, so that no flow was left out', () => {
      const answered = ours().filter(({ status }) => status < 400);
      const missed = endpoints.filter(
        ({ method, pattern }) =>
          !answered.some((answer) => answer.method === method && pattern.test(answer.url.pathname)),
      );

      expect(missed.map(({ name }) => name)).toEqual([]);
    });

    it('every answer has our own headers, and none of the host’s', () => {
      const odd = ours().filter(
        ({ headers }) =>
          !(headers.get('cache-control') ?? '').startsWith('no-store') ||
          headers.get('x-content-type-options') !== 'nosniff' ||
          !/^(no-referrer|strict-origin)$/.test(headers.get('referrer-policy') ?? '') ||
          headers.get('etag') === '"of-the-host"' ||
          ['x-host', 'x-dns-prefetch-control', 'content-encoding', 'x-ratelimit-limit'].some((name) =>
            headers.has(name),
          ),
      );

      expect(ours().length).toBeGreaterThan(endpoints.length);
      expect(odd.map(({ method, url, headers }) => [method, url.pathname, ...headers])).toEqual([]);
    });
  },
);
