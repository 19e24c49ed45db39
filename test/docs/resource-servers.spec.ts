import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { z } from 'zod';
import { freePort } from '../../example/postgres/free-port.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { redirectUri, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { quietOptions } from '../support/platforms.js';
import { refresh, revoke } from '../support/signed-in.js';
import {
  callbackAfterScan,
  getWith,
  redeem,
  returnFromPc,
  type Tokens,
  toTokens,
} from '../support/sign-in.js';
import { loadExample } from './load-example.js';
import { exampleOf } from './pages.js';

const isModule = z.custom<Type<unknown>>((value) => typeof value === 'function');

const isAsking = z.object({
  introspect: z.custom<(token: string) => Promise<unknown>>((value) => typeof value === 'function'),
});

/** A service of the page, under an address that it is told before it is loaded. */
async function startService(name: string, { module, env }: { module: string; env: Record<string, string> }) {
  Object.assign(process.env, env);
  const example = await loadExample(exampleOf('docs/guides/resource-servers.md', name));
  return NestFactory.create(isModule.parse(example[module]), quietOptions);
}

describe('the services of the guide, run as they are', () => {
  let world: World;
  let admin: AdminClient;
  let orders: INestApplication;
  let mcp: INestApplication;
  let resource: string;
  let mcpResource: string;

  beforeAll(async () => {
    const [ordersPort, mcpPort] = [await freePort(), await freePort()];
    resource = `http://localhost:${ordersPort}/orders`;
    mcpResource = `http://localhost:${mcpPort}/mcp`;
    const resources = [{ identifier: resource, client: 'orders' }, { identifier: mcpResource }];
    world = await startWorld({ options: { ...adminOptions, resources } });
    admin = new AdminClient(world.url);
    const env = { IAM_ISSUER: world.url, RESOURCE: resource, MCP_RESOURCE: mcpResource };
    orders = await startService('orders-service', { module: 'OrdersModule', env });
    mcp = await startService('mcp-service', { module: 'McpModule', env });
    await orders.listen(ordersPort, '127.0.0.1');
    await mcp.listen(mcpPort, '127.0.0.1');
    await admin.post('clients', {
      id: 'shop',
      redirect_uris: [redirectUri(world.url)],
      resources: [resource, mcpResource],
    });
  });
  afterAll(async () => {
    for (const name of ['IAM_ISSUER', 'RESOURCE', 'MCP_RESOURCE', 'CLIENT_ID', 'CLIENT_SECRET'])
      Reflect.deleteProperty(process.env, name);
    await Promise.all([orders.close(), mcp.close()]).finally(() => world.close());
  });

  /** A sign-in of a new person to `shop`, for one service. */
  const tokensFor = async (resource: string): Promise<Tokens> => {
    const signIn = await returnFromPc(world, world.wechat.person({ nickname: '兰' }), {
      client_id: 'shop',
      resource,
    });
    return toTokens(await redeem(world.url, signIn, { client_id: 'shop' }));
  };
  const call = (path: string, accessToken: string): Promise<Reply> =>
    getWith(`${resource}${path}`, accessToken);

  describe('a second Nest service', () => {
    it('knows the person by a token that is for it', async () => {
      const { accessToken } = await tokensFor(resource);

      const reply = await call('', accessToken);

      expect([reply.status, reply.json()]).toEqual([200, { ordersOf: decodeJwt(accessToken).sub }]);
    });

    it('refuses no token, one for another service, one of another signer, and one that is no access token', async () => {
      const { accessToken } = await tokensFor(resource);
      const { privateKey } = await generateKeyPair('ES256');
      const claims = decodeJwt(accessToken);
      const sign = (typ: string) =>
        new SignJWT(claims)
          .setProtectedHeader({ ...decodeProtectedHeader(accessToken), alg: 'ES256', typ })
          .sign(privateKey);
      const unsigned = new UnsecuredJWT(claims).encode();
      const other = (await tokensFor(mcpResource)).accessToken;

      const none = await new PcBrowser().visit(resource);
      const bad = await Promise.all(
        [other, await sign('at+jwt'), await sign('JWT'), unsigned].map((token) => call('', token)),
      );

      expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect(bad.map((reply) => [reply.status, reply.headers.get('www-authenticate')])).toEqual(
        bad.map(() => [401, 'Bearer error="invalid_token"']),
      );
    });

    it('asks for the role that a handler names', async () => {
      const before = await tokensFor(resource);
      await world.dataSource.query(`INSERT INTO iam.roles (name) VALUES ('clerk') ON CONFLICT DO NOTHING`);
      await world.dataSource.query(`INSERT INTO iam.user_roles (user_id, role) VALUES ($1, 'clerk')`, [
        decodeJwt(before.accessToken).sub,
      ]);
      const after = toTokens(await refresh(world.url, before.refreshToken, { client_id: 'shop' }));

      expect((await call('/all', before.accessToken)).status).toBe(403);
      expect((await call('/all', after.accessToken)).status).toBe(200);
    });

    it('takes a token after the sign-out until it expires, unless it asks by introspection', async () => {
      await admin.post('clients', { id: 'orders', type: 'service', grants: ['client_credentials'] });
      const { secret } = (await admin.post('clients/orders/rotate', {}, '*')).json();
      const example = exampleOf('docs/guides/resource-servers.md', 'introspection');
      Object.assign(process.env, { CLIENT_ID: 'orders', CLIENT_SECRET: secret });
      const { introspect } = isAsking.parse(await loadExample(example));
      const { accessToken, refreshToken } = await tokensFor(resource);
      const { sub } = decodeJwt(accessToken);
      const before = await introspect(accessToken);

      await revoke(world.url, refreshToken, { client_id: 'shop' });

      expect(before).toMatchObject({ active: true, sub, client_id: 'shop', roles: [] });
      expect((await call('', accessToken)).status).toBe(200);
      await expect(introspect(accessToken)).rejects.toThrow('invalid_token');
    });
  });

  describe('a server for language models', () => {
    /** A client of the SDK that was registered before, and is told nothing but the server's address. */
    const clientFor = () => {
      let [tokens, verifier, start] = [
        undefined as OAuthTokens | undefined,
        '',
        undefined as URL | undefined,
      ];
      const authProvider: OAuthClientProvider = {
        redirectUrl: redirectUri(world.url),
        clientMetadata: { redirect_uris: [redirectUri(world.url)] },
        clientInformation: () => ({ client_id: 'shop' }),
        tokens: () => tokens,
        saveTokens: (saved) => void (tokens = saved),
        redirectToAuthorization: (url) => void (start = url),
        saveCodeVerifier: (saved) => void (verifier = saved),
        codeVerifier: () => verifier,
      };
      return { authProvider, started: () => start?.href ?? '' };
    };

    it('leads a client that knows its address alone to the sign-in, and knows the person then', async () => {
      const { authProvider, started } = clientFor();
      const connect = async () => {
        const client = new Client({ name: 'test', version: '1' });
        const transport = new StreamableHTTPClientTransport(new URL(mcpResource), { authProvider });
        await client.connect(transport);
        return client;
      };

      await expect(connect()).rejects.toThrow(UnauthorizedError);
      const browser = new PcBrowser();
      const { location } = await browser.visit(started());
      const person = world.wechat.person({ nickname: '兰' });
      const returned = await browser.visit(await callbackAfterScan(world.wechat, location ?? '', person));
      const code = returned.location?.searchParams.get('code') ?? '';
      await new StreamableHTTPClientTransport(new URL(mcpResource), { authProvider }).finishAuth(code);
      const client = await connect();
      const answer = await client.callTool({ name: 'whoami' });
      await client.close();

      expect(new URL(started()).searchParams.get('resource')).toBe(mcpResource);
      const { sub } = decodeJwt((await authProvider.tokens())?.access_token ?? '');
      expect(answer.content).toEqual([{ type: 'text', text: sub }]);
    });

    it('refuses a token for another service', async () => {
      const { accessToken } = await tokensFor(resource);

      const reply = await new PcBrowser().visit(mcpResource, {
        body: {},
        headers: { authorization: `Bearer ${accessToken}` },
      });

      expect(reply.status).toBe(401);
      expect(reply.headers.get('www-authenticate')).toContain(
        `resource_metadata="${new URL('/.well-known/oauth-protected-resource/mcp', mcpResource).href}"`,
      );
    });
  });
});
