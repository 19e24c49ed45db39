import type { ServerResponse } from 'node:http';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  HttpException,
  Module,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  AccessTokens,
  type AuthenticatedUser,
  IamError,
  IamGuard,
  IamSockets,
  OptionalAuth,
  Public,
  RequirePermissions,
  RequireRecentSignIn,
  RequireRoles,
  Requirements,
} from '../../src/index.js';
import { findAuthenticatedUser } from '../../src/http/authenticated-user.js';
import { RolePermissions } from '../../src/roles/role-permissions.service.js';
import { Clock } from '../../src/runtime/clock.js';
import { denyUnguarded } from '../../src/sessions/iam.guard.js';
import { AdminEventsController } from '../../src/admin/events/events.controller.js';
import { cookieClient } from '../support/cookie-client.js';
import { FakeClock } from '../support/fake-clock.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { getWith, signInOnPc } from '../support/sign-in.js';

const RECENT_SECONDS = 900;

/** What the host's filters got. */
const caught: unknown[] = [];

@Catch()
class NotingFilter extends BaseExceptionFilter implements ExceptionFilter {
  override catch(thrown: unknown, host: ArgumentsHost): void {
    caught.push(thrown);
    super.catch(thrown, host);
  }
}

@UseFilters(NotingFilter)
@UseGuards(IamGuard)
@RequireRoles('editor', 'chief')
@Controller('articles')
class ArticlesController {
  @Get()
  read() {
    return {};
  }

  @RequirePermissions('articles:write', 'articles:publish')
  @RequireRoles('chief')
  @Get('publish')
  publish() {
    return {};
  }

  @RequireRecentSignIn()
  @Get('remove')
  remove() {
    return {};
  }
}

@RequirePermissions('articles:read')
@Controller('drafts')
class DraftsController {
  @RequirePermissions('articles:write')
  @Get()
  read() {
    return {};
  }
}

@Public()
@UseGuards(IamGuard)
@Controller('shop-window')
class ShopWindowController {
  @Get()
  look() {
    return {};
  }

  @OptionalAuth()
  @Get('optional')
  optional() {
    return {};
  }

  @RequireRoles('chief')
  @Get('till')
  till() {
    return {};
  }
}

@Module({ controllers: [ArticlesController, ShopWindowController] })
class HostModule {}

describe('what a user needs', () => {
  const clock = new FakeClock();
  let world: World;
  let requirements: Requirements;

  beforeAll(async () => {
    world = await startWorld({
      clock,
      imports: [HostModule],
      options: { recentSignIn: RECENT_SECONDS, clients: [cookieClient()] },
      prepare: (app) =>
        app.use((_request: unknown, response: ServerResponse, next: () => void) => {
          response.setHeader('Vary', 'Accept-Encoding');
          next();
        }),
    });
    requirements = world.app.get(Requirements);
    await world.dataSource.query(
      `INSERT INTO iam.roles (name, permissions) VALUES ('editor', '{articles:read,articles:write}'), ('chief', '{articles:*}')`,
    );
  });
  afterAll(() => world.close());

  const userWith = (...roles: string[]): AuthenticatedUser => ({
    kind: 'person',
    id: 'u1',
    sessionId: 's1',
    clientId: 'web',
    roles,
    method: 'open',
    signedInAt: new Date(clock.now()),
  });
  const refusalOf = (allowed: Promise<void>): Promise<unknown> =>
    allowed.then(
      () => null,
      (error: unknown) => error,
    );
  const lacking = (required: string) =>
    expect.objectContaining({
      code: 'insufficient_permissions',
      message: `insufficient_permissions: needs ${required}`,
      members: { required },
    }) as unknown;

  it('is one of the roles', async () => {
    const roles = ['editor', 'chief'];

    expect(await refusalOf(requirements.require(userWith('chief'), { roles }))).toBeNull();
    expect(await refusalOf(requirements.require(userWith('reader'), { roles }))).toMatchObject({
      code: 'insufficient_permissions',
      message: 'insufficient_permissions: needs a role of editor, chief',
    });
  });

  it('is every permission, and the refusal names them', async () => {
    const permissions = ['articles:write', 'articles:publish'];

    expect(await refusalOf(requirements.require(userWith('chief'), { permissions }))).toBeNull();
    expect(await refusalOf(requirements.require(userWith('editor'), { permissions }))).toEqual(
      lacking('articles:write articles:publish'),
    );
  });

  it('is a sign-in of the last fifteen minutes, to the millisecond', async () => {
    const user = userWith();
    const recentSignIn = true;
    const old = { ...user, signedInAt: new Date(clock.now() - RECENT_SECONDS * 1000 - 1) };
    const justRecent = { ...user, signedInAt: new Date(clock.now() - RECENT_SECONDS * 1000) };

    expect(await refusalOf(requirements.require(justRecent, { recentSignIn }))).toBeNull();
    expect(await refusalOf(requirements.require(old, { recentSignIn }))).toMatchObject({
      code: 'recent_sign_in_required',
      message: `recent_sign_in_required: user u1 signed in at ${old.signedInAt.toISOString()}`,
      members: { max_age: RECENT_SECONDS },
    });
    expect(await refusalOf(requirements.require(old, { recentSignIn: false }))).toBeNull();
    expect(await refusalOf(requirements.require(old, {}))).toBeNull();
  });

  it('is yes or no to code of the host, where it is a matter of what they may', async () => {
    const old = { ...userWith('editor'), signedInAt: new Date(0) };

    expect(await requirements.allows(userWith('editor'), { permissions: ['articles:write'] })).toBe(true);
    expect(await requirements.allows(userWith('editor'), { permissions: ['users:erase'] })).toBe(false);
    expect(await requirements.allows(old, { recentSignIn: true })).toBe(false);
    const service: AuthenticatedUser = { kind: 'service', id: 'nightly', clientId: 'nightly', roles: [] };
    expect(await requirements.allows(service, { recentSignIn: true })).toBe(false);
  });

  it('is not answered by a failure', async () => {
    const failures = [
      new IamError('database_unavailable', 'no connection'),
      new TypeError('the host’s own mistake'),
    ];

    for (const failure of failures)
      await expect(
        requirements.allows(userWith('editor'), {
          get permissions(): string[] {
            throw failure;
          },
        }),
      ).rejects.toBe(failure);
  });

  it('is declared by the handler and its class together', () => {
    const { read, publish, remove } = ArticlesController.prototype;

    expect(requirements.declaredAt([read, ArticlesController])).toEqual([{ roles: ['editor', 'chief'] }]);
    expect(requirements.declaredAt([publish, ArticlesController])).toEqual([
      { roles: ['chief'] },
      { roles: ['editor', 'chief'] },
      { permissions: ['articles:write', 'articles:publish'] },
    ]);
    expect(requirements.declaredAt([remove, ArticlesController])).toEqual([
      { roles: ['editor', 'chief'] },
      { recentSignIn: true },
    ]);
    expect(requirements.declaredAt([DraftsController.prototype.read, DraftsController])).toEqual([
      { permissions: ['articles:write', 'articles:read'] },
    ]);
    expect(requirements.declaredAt([clock.now, Clock])).toEqual([]);
  });

  it('is checked one by one', async () => {
    const targets = [ArticlesController.prototype.publish, ArticlesController];

    expect(await refusalOf(requirements.check(targets, userWith('chief')))).toBeNull();
    expect(await refusalOf(requirements.check(targets, userWith('editor')))).toMatchObject({
      message: 'insufficient_permissions: needs a role of chief',
    });
    expect(await refusalOf(requirements.check(targets, userWith()))).toMatchObject({
      message: 'insufficient_permissions: needs a role of chief',
    });
  });

  describe('at a guard', () => {
    const contextOf = (request: object) => {
      const context = new ExecutionContextHost(
        [request, {}],
        AdminEventsController,
        AdminEventsController.prototype.list,
      );
      context.setType('http');
      return context;
    };

    it('is refused as Nest refuses, with the reason for the host’s filters', async () => {
      const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));

      const reply = await getWith(`${world.url}/articles`, accessToken);

      expect([reply.status, reply.json()]).toEqual([
        403,
        expect.objectContaining({ statusCode: 403, error: 'Forbidden', code: 'insufficient_permissions' }),
      ]);
      expect(caught).toEqual([expect.any(ForbiddenException)]);
      expect(caught).toMatchObject([{ cause: { code: 'insufficient_permissions' } }]);
      expect(reply.headers.get('vary')).toBe('Accept-Encoding, Authorization, Cookie');
    });

    it('is no refusal while PostgreSQL cannot say what a role grants', async () => {
      const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));
      const tokens = world.app.get(AccessTokens);
      const chief = await tokens.issue({ ...(await tokens.verify(accessToken)), roles: ['chief'] });
      world.app.get(RolePermissions).forget();
      await world.dataSource.query('ALTER TABLE iam.roles RENAME TO roles_elsewhere');

      const reply = await getWith(`${world.url}/articles/publish`, chief);
      await world.dataSource.query('ALTER TABLE iam.roles_elsewhere RENAME TO roles');

      expect([reply.status, reply.json()]).toEqual([
        503,
        expect.objectContaining({
          statusCode: 503,
          error: 'Service Unavailable',
          code: 'database_unavailable',
        }),
      ]);
      expect(caught.at(-1)).not.toBeInstanceOf(ForbiddenException);
      expect(caught.at(-1)).toBeInstanceOf(HttpException);
      expect(caught.at(-1)).toMatchObject({ cause: { code: 'database_unavailable' } });
    });

    it('holds in a class that is public too, where a handler asks for it', async () => {
      const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));
      const window = `${world.url}/shop-window`;

      const [look, optional, stranger] = [
        await new PcBrowser().visit(window),
        await new PcBrowser().visit(`${window}/optional`),
        await new PcBrowser().visit(`${window}/till`),
      ];
      const lan = await getWith(`${window}/till`, accessToken);

      expect([look.status, optional.status, stranger.status]).toEqual([200, 200, 401]);
      expect(optional.headers.get('vary')).toBe('Accept-Encoding, Authorization, Cookie');
      expect(lan.json()['code']).toBe('insufficient_permissions');
    });

    it('refuses one field of an operation over a socket, and leaves the user to the others', async () => {
      const { accessToken } = await signInOnPc(world, world.wechat.person({ nickname: '小兰' }));
      const { userId } = await world.app.get(AccessTokens).verify(accessToken);
      const request = { method: 'GET', url: '/graphql', headers: { upgrade: 'websocket' } };
      const operation: object = { request, _connectionInit: { token: accessToken } };
      const { optional, till } = ShopWindowController.prototype;
      const admits = (field: () => object) => {
        const context = new ExecutionContextHost([undefined, {}, operation, {}], ShopWindowController, field);
        context.setType('graphql');
        return world.app.get(IamGuard).canActivate(context);
      };

      expect(await admits(optional)).toBe(true);
      await expect(admits(till)).rejects.toMatchObject({ extensions: { code: 'insufficient_permissions' } });

      expect(findAuthenticatedUser(operation)?.id).toBe(userId);
    });

    it('makes a socket that of the user of its first message, for good', async () => {
      const [lan, ming] = [
        await signInOnPc(world, world.wechat.person({ nickname: '小兰' })),
        await signInOnPc(world, world.wechat.person({ nickname: '小明' })),
      ];
      const headers = { authorization: `Bearer ${lan.accessToken}` };
      const client = { handshake: { url: '/socket.io/?transport=polling', headers } };
      const { optional } = ShopWindowController.prototype;
      const message = new ExecutionContextHost([client, {}, 'optional'], ShopWindowController, optional);
      message.setType('ws');
      const sockets = world.app.get(IamSockets);

      expect(await world.app.get(IamGuard).canActivate(message)).toBe(true);
      await expect(sockets.present(client, ming.accessToken)).rejects.toMatchObject({
        code: 'invalid_token',
      });
      await expect(sockets.present(client, lan.accessToken)).resolves.toMatchObject({ kind: 'person' });
    });

    it('leaves the admin API to its own guard, unless that says no', async () => {
      const guard = world.app.get(IamGuard);
      const [left, denied] = [{}, {}];
      denyUnguarded(denied);

      expect(await guard.canActivate(contextOf(left))).toBe(true);
      expect(await guard.canActivate(contextOf(denied))).toBe(false);
    });
  });
});
