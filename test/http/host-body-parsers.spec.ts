import type { DynamicModule, INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startIamApp, type IamApp } from '../support/iam-app.js';
import { PcBrowser, type Reply, type Visit } from '../support/pc-browser.js';

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
    database = await createDatabase();
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
