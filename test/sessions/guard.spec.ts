import { request as httpRequest, type IncomingMessage, Server } from 'node:http';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  HttpException,
  type INestApplication,
  Module,
  type NestApplicationOptions,
  Req,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  AccessTokens,
  type AuthenticatedUser,
  Authentication,
  CurrentUser,
  IamError,
  IamGuard,
  OptionalAuth,
  Public,
  RequireRoles,
  Requirements,
} from '../../src/index.js';
import { requirePerson } from '../../src/http/authenticated-user.js';
import { SessionCheck } from '../../src/sessions/session-check.service.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countQueries } from '../support/query-counter.js';
import { getWith, signInOnPc } from '../support/sign-in.js';
import { onPc, type SignedIn } from '../support/signed-in.js';

/** A host's own idea of an error body. */
@Catch()
class HouseFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(thrown: unknown, context: ArgumentsHost): void {
    const status = thrown instanceof HttpException ? thrown.getStatus() : 500;
    const body: unknown = thrown instanceof HttpException ? thrown.getResponse() : {};
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), { house: status, cause: body }, status);
  }
}

@Controller('orders')
class OrdersController {
  @Get()
  @UseGuards(IamGuard)
  list(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Get('house')
  @UseGuards(IamGuard)
  @UseFilters(HouseFilter)
  house() {
    return {};
  }

  @Get('open')
  @Public()
  open(@CurrentUser() user: AuthenticatedUser | undefined) {
    return { user: user ?? null };
  }

  @Get('optional')
  @UseGuards(IamGuard)
  @OptionalAuth()
  optional(@CurrentUser() user: AuthenticatedUser | undefined) {
    return { user: user?.id ?? null };
  }

  @Get('clerks')
  @UseGuards(IamGuard)
  @OptionalAuth()
  @RequireRoles('clerk')
  clerks() {
    return {};
  }

  @Get('unmarked')
  unmarked() {
    return {};
  }
}

@Public()
@Controller('shop-window')
class ShopWindowController {
  @Get()
  look() {
    return {};
  }

  @Get('optional')
  @OptionalAuth()
  optional(@CurrentUser() user: AuthenticatedUser | undefined) {
    return { user: user?.id ?? null };
  }
}

@Module({ controllers: [OrdersController, ShopWindowController], providers: [HouseFilter] })
class OrdersModule {}

type Handler = (...parameters: never[]) => unknown;

/** What a guard is given for a call of a handler over a transport. */
function callOf(type: string, args: unknown[], handler: Handler): ExecutionContextHost {
  const context = new ExecutionContextHost(args, OrdersController, handler);
  context.setType(type);
  return context;
}

const quiet: Pick<NestApplicationOptions, 'logger'> = { logger: false };

const onFastify = (module: DynamicModule) =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), quiet);

describe('IamGuard', () => {
  let world: World;
  let fastify: IamApp;
  let guarded: IamApp;
  let lan: SignedIn;

  beforeAll(async () => {
    world = await startWorld({ imports: [OrdersModule] });
    fastify = await startReplica(world, { imports: [OrdersModule], create: onFastify });
    guarded = await startReplica(world, { imports: [OrdersModule], globalGuard: true });
    lan = await onPc(world, world.wechat.person({ nickname: '小兰' }));
  });
  afterAll(async () => {
    await guarded.close();
    await fastify.close();
    await world.close();
  });

  const urlOf = (host: string) => (host === 'Express' ? world.url : fastify.url);
  const anonymously = (url: string, headers: Record<string, string> = {}) =>
    new PcBrowser().visit(url, { headers: { accept: 'application/json', ...headers } });

  describe.each(['Express', 'Fastify'])('on %s', (host) => {
    it('admits a bearer and says who it is, without a query', async () => {
      const queries = countQueries(world.database.url);

      const reply = await getWith(`${urlOf(host)}/orders`, lan.accessToken);
      queries.stop();

      expect(reply.status).toBe(200);
      expect(reply.json()).toEqual({
        kind: 'person',
        id: lan.id,
        sessionId: expect.any(String) as string,
        clientId: 'web',
        roles: [],
        method: 'open',
        signedInAt: expect.stringMatching(/^20\d\d-.*Z$/) as string,
      });
      expect(queries.since(0)).toEqual([]);
    });

    it('refuses everybody else with a stable code, a challenge and a text in the reader’s language', async () => {
      const chinese = await anonymously(`${urlOf(host)}/orders`, { 'accept-language': 'zh-CN' });
      const english = await anonymously(`${urlOf(host)}/orders`, { 'accept-language': 'en' });
      const bad = await getWith(`${urlOf(host)}/orders`, 'not.a.token');

      expect(chinese.status).toBe(401);
      expect(chinese.json()).toEqual({
        type: 'about:blank',
        title: expect.any(String) as string,
        status: 401,
        code: 'authentication_required',
        statusCode: 401,
        message: chinese.json()['title'],
        error: 'Unauthorized',
      });
      expect(chinese.json()['title']).not.toBe(english.json()['title']);
      expect(chinese.headers.get('www-authenticate')).toBe('Bearer');
      expect(bad.json()['code']).toBe('invalid_token');
      expect(bad.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    });

    it('leaves the body to the host’s own filter, and keeps the challenge', async () => {
      const reply = await anonymously(`${urlOf(host)}/orders/house`);

      expect(reply.status).toBe(401);
      expect(reply.json()).toMatchObject({ house: 401, cause: { code: 'authentication_required' } });
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    });

    it('answers on our own routes as problem+json', async () => {
      const reply = await anonymously(`${urlOf(host)}/iam/me`);

      expect(reply.status).toBe(401);
      expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
      expect(reply.headers.get('cache-control')).toBe('no-store');
      expect(reply.json()['code']).toBe('authentication_required');
    });

    it('admits strangers to a route with optional sign-in, and no token that is broken', async () => {
      const optional = `${urlOf(host)}/orders/optional`;
      const stranger = await anonymously(optional);
      const broken = [`Bearer ${lan.accessToken}x`, 'Bearer', 'Bearer '];

      expect([stranger.status, stranger.json()]).toEqual([200, { user: null }]);
      expect(stranger.headers.get('vary')).toContain('Authorization');
      expect((await getWith(optional, lan.accessToken)).json()).toEqual({ user: lan.id });
      for (const authorization of broken)
        expect((await anonymously(optional, { authorization })).status).toBe(401);
      const proxy = await anonymously(optional, { authorization: 'Basic c2hvcDp3aW5kb3c=' });
      expect(proxy.json()).toEqual({ user: null });
    });

    it('admits no stranger where something is required of a user', async () => {
      const clerks = `${urlOf(host)}/orders/clerks`;

      expect((await anonymously(clerks)).json()['code']).toBe('authentication_required');
      expect((await getWith(clerks, lan.accessToken)).json()['code']).toBe('insufficient_permissions');
    });

    it('stays off the routes that do not ask for it', async () => {
      expect((await anonymously(`${urlOf(host)}/orders/unmarked`)).status).toBe(200);
      expect((await anonymously(`${urlOf(host)}/orders/open`)).json()).toEqual({ user: null });
    });
  });

  describe('as the global guard', () => {
    it('guards every route of the host but the public ones', async () => {
      const statusOf = async (path: string) => (await anonymously(`${guarded.url}${path}`)).status;

      expect(await statusOf('/orders')).toBe(401);
      expect(await statusOf('/orders/unmarked')).toBe(401);
      expect(await statusOf('/orders/open')).toBe(200);
      expect(await statusOf('/shop-window')).toBe(200);
      expect((await getWith(`${guarded.url}/shop-window/optional`, lan.accessToken)).json()).toEqual({
        user: lan.id,
      });
      expect((await getWith(`${guarded.url}/orders/unmarked`, lan.accessToken)).status).toBe(200);
    });

    it('lets people sign in', async () => {
      const ways = ['/iam/providers', '/iam/jwks', '/iam/.well-known/oauth-authorization-server'];
      for (const path of ways) expect((await anonymously(`${guarded.url}${path}`)).status).toBe(200);

      const start = await anonymously(`${guarded.url}/iam/authorize?client_id=web`);
      const token = await new PcBrowser().visit(`${guarded.url}/iam/token`, { form: { grant_type: 'x' } });
      const me = await anonymously(`${guarded.url}/iam/me`);

      expect([start.status, token.status, me.status]).toEqual([400, 400, 401]);
    });
  });

  it('admits nobody by a transport without tokens, unless strangers are welcome', async () => {
    const { unmarked, open, optional } = OrdersController.prototype;
    const by = (type: string, handler: Handler) =>
      world.app.get(IamGuard).canActivate(callOf(type, [{}, {}], handler));

    await expect(by('queue', unmarked)).rejects.toThrow(ForbiddenException);
    await expect(by('rpc', unmarked)).rejects.toMatchObject({ error: { code: 'authentication_required' } });
    expect([await by('rpc', open), await by('rpc', optional)]).toEqual([true, true]);
  });

  describe('of GraphQL', () => {
    const { unmarked } = OrdersController.prototype;
    const headers = () => ({ authorization: `Bearer ${lan.accessToken}` });
    const request = (more: object = {}) => ({ method: 'POST', url: '/graphql', headers: headers(), ...more });
    const admits = (context: unknown) =>
      world.app.get(IamGuard).canActivate(callOf('graphql', [undefined, {}, context, {}], unmarked));

    it('takes the request of the context, and says that there must be one', async () => {
      const contexts = [{ req: request() }, { reply: { request: request() } }];
      const without = [undefined, {}, { req: {} }, { reply: {} }];

      for (const context of contexts) expect(await admits(context)).toBe(true);
      for (const context of without)
        await expect(admits(context)).rejects.toThrow('the GraphQL context has no request');
    });

    it('refuses with an error that has the code in its extensions', async () => {
      const stranger = { req: request({ headers: { 'accept-language': 'zh-CN' } }) };

      await expect(admits(stranger)).rejects.toMatchObject({
        message: '请先登录。',
        extensions: { code: 'authentication_required', status: 401 },
      });
    });

    it('finds the context of a resolver of references, which has no arguments', async () => {
      const context = callOf('graphql', [{ id: 1 }, { req: request() }, {}], unmarked);

      expect(await world.app.get(IamGuard).canActivate(context)).toBe(true);
    });

    it('admits nobody by a context in which a driver keeps the first request', async () => {
      const shared = { req: request(), reply: { request: request() } };

      await expect(admits(shared)).rejects.toThrow('shared by requests');
    });
  });
});

@Controller('by-hand')
class ByHandController {
  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
  ) {}

  @Public()
  @Get()
  async who(@Req() request: object) {
    const user = await this.authentication.authenticate(request);
    return { id: user.id, may: await this.requirements.allows(user, { permissions: ['orders:read'] }) };
  }
}

@Module({ controllers: [ByHandController] })
class HostModule {}

/** Answers a handshake with who it is, or with the code of the error. */
function answerHandshakes(app: INestApplication): void {
  const server: unknown = app.getHttpServer();
  if (!(server instanceof Server)) throw new Error('no server of node:http');
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const say = (text: string) =>
      socket.end(`HTTP/1.1 403 Forbidden\r\nX-Who: ${text}\r\nContent-Length: 0\r\n\r\n`);
    app
      .get(Authentication)
      .authenticate(request)
      .then(({ id }) => say(id))
      .catch((error: unknown) => say(error instanceof IamError ? error.code : 'failed'));
  });
}

function shakeHands(url: string, headers: Record<string, string>): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers: { connection: 'Upgrade', upgrade: 'websocket', ...headers } })
      .on('response', (response) => resolve(String(response.headers['x-who'])))
      .on('error', reject)
      .end();
  });
}

describe.each(platforms)('who a request, a socket and a token are on %s', (_platform, create) => {
  let world: World;
  let token: string;
  let id: string;

  beforeAll(async () => {
    world = await startWorld({
      create,
      imports: [HostModule],
      prepare: answerHandshakes,
      options: {
        sessionCheck: 'always',
        clients: [{ id: 'shop', tokens: 'cookie', redirectUris: ['http://localhost/signed-in'] }],
      },
    });
    token = (await signInOnPc(world, world.wechat.person({ nickname: '小兰' }))).accessToken;
    id = (await world.app.get(Authentication).authenticate(token)).id;
  });
  afterAll(() => world.close());

  it('is one question, and what they may is another', async () => {
    const reply = await fetch(`${world.url}/by-hand`, { headers: { authorization: `Bearer ${token}` } });

    expect(await reply.json()).toEqual({ id, may: false });
    expect(await shakeHands(world.url, { authorization: `Bearer ${token}` })).toBe(id);
    expect(await shakeHands(world.url, {})).toBe('authentication_required');
  });

  it('takes a cookie with the handshake of a page of ours, and of nobody else’s', async () => {
    const claims = await world.app.get(AccessTokens).verify(token);
    const cookie = `iam-access=${await world.app.get(AccessTokens).issue({ ...claims, clientId: 'shop' })}`;

    expect(await shakeHands(world.url, { cookie, origin: world.url })).toBe(id);
    expect(await shakeHands(world.url, { cookie, origin: 'https://evil.example' })).toBe('origin_forbidden');
    expect(await shakeHands(world.url, { cookie })).toBe('origin_forbidden');
  });

  describe('with a GraphQL connection', () => {
    const admits = (parameters: object, headers: object = {}) => {
      const request = { method: 'GET', url: '/graphql', headers: { upgrade: 'websocket', ...headers } };
      const contexts = [
        { req: { extra: { request }, connectionParams: parameters } },
        { request, reply: { request }, _connectionInit: parameters },
        { request, _connectionInit: parameters },
      ];
      const { unmarked } = OrdersController.prototype;
      const calls = contexts.map((context) => callOf('graphql', [undefined, {}, context, {}], unmarked));
      const codeOf = (error: { extensions?: { code?: string } }) => error.extensions?.code;
      return Promise.all(calls.map((call) => world.app.get(IamGuard).canActivate(call).catch(codeOf)));
    };

    it('is said by its parameters', async () => {
      const authorization = `Bearer ${token}`;
      const parameters = [
        { authorization },
        { Authorization: authorization },
        { headers: { authorization } },
        { token },
      ];

      for (const given of parameters) expect(await admits(given)).toEqual([true, true, true]);
      expect(await admits({}, { authorization })).toEqual([true, true, true]);
      expect(await admits({ token: `${token}x` }, { authorization })).toEqual(Array(3).fill('invalid_token'));
      expect(await admits({})).toEqual(Array(3).fill('authentication_required'));
    });

    it('is said by no cookie that came from a page of nobody, whatever the parameters claim', async () => {
      const claims = await world.app.get(AccessTokens).verify(token);
      const cookie = `iam-access=${await world.app.get(AccessTokens).issue({ ...claims, clientId: 'shop' })}`;
      const evil = { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' };

      expect(await admits({}, { cookie, origin: world.url })).toEqual([true, true, true]);
      expect(await admits({ 'sec-fetch-site': 'same-origin' }, evil)).toEqual(
        Array(3).fill('origin_forbidden'),
      );
    });
  });

  it('takes no cookie of a page of nobody with a handshake of socket.io that began by polling', async () => {
    const claims = await world.app.get(AccessTokens).verify(token);
    const cookie = `iam-access=${await world.app.get(AccessTokens).issue({ ...claims, clientId: 'shop' })}`;
    const admits = (headers: object) => {
      const client = { handshake: { url: '/socket.io/?transport=polling', headers: { cookie, ...headers } } };
      const { unmarked } = OrdersController.prototype;
      return world.app.get(IamGuard).canActivate(callOf('ws', [client, {}, 'unmarked'], unmarked));
    };

    expect(await admits({ 'sec-fetch-site': 'same-origin' })).toBe(true);
    await expect(admits({ 'sec-fetch-site': 'cross-site' })).rejects.toMatchObject({
      error: { code: 'origin_forbidden', cause: { pattern: 'unmarked' } },
    });
  });

  it('says what is missing', async () => {
    const user = await world.app.get(Authentication).authenticate(token);
    const requirements = world.app.get(Requirements);

    await expect(requirements.require(user, { roles: ['clerk', 'boss'] })).rejects.toMatchObject({
      code: 'insufficient_permissions',
    });
    await expect(requirements.require(user, { permissions: ['orders:read'] })).rejects.toMatchObject({
      code: 'insufficient_permissions',
    });
    await expect(requirements.require(user, { recentSignIn: true })).resolves.toBeUndefined();
    expect(
      await requirements.allows({ ...requirePerson(user), signedInAt: new Date(0) }, { recentSignIn: true }),
    ).toBe(false);
  });

  it('no longer believes a token whose session has ended', async () => {
    await world.dataSource.query('UPDATE iam.sessions SET ended_at = now()');

    const authentication = world.app.get(Authentication);
    const user = await authentication.authenticate(token).catch(() => null);
    world.app.get(SessionCheck).forget(user?.kind === 'person' ? user.sessionId : '');
    await expect(authentication.authenticate(token)).rejects.toMatchObject({ code: 'invalid_token' });
  });
});
