import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { adminOptions, adminToken } from '../support/admin.js';
import { startReplica, startWorld, type IamApp, type World } from '../support/iam-app.js';
import { onFastify } from '../support/platforms.js';

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
