import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Get,
  HttpException,
  Injectable,
  Module,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, HttpAdapterHost } from '@nestjs/core';
import { type EndpointDeclaration, endpointsOf, iamControllers } from '../../src/http/endpoint.decorator.js';
import { IamGuard, isIamRequest, RequireRoles } from '../../src/index.js';
import { adminOptions, adminToken } from '../support/admin.js';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode, startFollowWorld } from '../support/follow.js';
import { hostileModule, hostilities, type Hostility } from '../support/hostile-host.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { getWith } from '../support/sign-in.js';
import { inWechat, onPc, refresh, type SignedIn } from '../support/signed-in.js';

/** A host's guard that knows nobody. */
@Injectable()
class MembersGuard implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException();
  }
}

/** Another, which does not say why. */
@Injectable()
class SilentGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

/** As the README says. */
@Injectable()
class LettingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return isIamRequest(context.switchToHttp().getRequest());
  }
}

/** A host that answers by what an exception says of itself. */
@Catch(HttpException)
class TalkingFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(thrown: HttpException, context: ArgumentsHost): void {
    const { name, message } = thrown;
    const body = { name, message, response: thrown.getResponse() };
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), body, thrown.getStatus());
  }
}

@Controller('iam/orders')
class OrdersController {
  @Get()
  @UseGuards(IamGuard)
  @RequireRoles('clerk')
  list() {
    return {};
  }
}

const hostWith = (guard: new () => CanActivate) => {
  @Module({ controllers: [OrdersController], providers: [{ provide: APP_GUARD, useClass: guard }] })
  class HostModule {}
  return HostModule;
};

@Module({
  controllers: [OrdersController],
  providers: [{ provide: APP_FILTER, useClass: TalkingFilter }],
})
class TalkingModule {}

describe.each(platforms)('on %s, a global guard of the host', (_name, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ create });
  });
  afterAll(() => world.close());

  const ask = (url: string, path: string) =>
    new PcBrowser().visit(`${url}${path}`, { headers: { accept: 'application/json' } });

  it('lets the module’s requests through by isIamRequest, and none of its own below the same path', async () => {
    const host = await startReplica(world, { create, imports: [hostWith(LettingGuard)] });

    const replies = [
      await ask(host.url, '/iam/providers'),
      await ask(host.url, '/iam/providers/'),
      await ask(host.url, '/iam/orders'),
    ];
    await host.close();

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 403]);
  });

  it('is what the module answers with in its own words', async () => {
    const host = await startReplica(world, { create, imports: [hostWith(MembersGuard)], isRefusing: true });

    const reply = await ask(host.url, '/iam/providers');
    const token = await new PcBrowser().visit(`${host.url}/iam/token`, { form: { client_id: 'web' } });
    await host.close();

    expect([reply.status, reply.json()['code']]).toEqual([401, 'authentication_required']);
    expect([token.status, token.json()['code']]).toEqual([401, 'authentication_required']);
    expect(reply.headers.get('cache-control')).toBe('no-store');
  });
});

describe('the log', () => {
  it.each([
    [
      'throws',
      MembersGuard,
      'UnauthorizedException "Unauthorized" of the application, at MembersGuard.canActivate',
    ],
    [
      'says no',
      SilentGuard,
      'ForbiddenException "Forbidden resource" of the application; its global guards: SilentGuard',
    ],
  ])('names the guard of the host that %s', async (_case, guard, text) => {
    const logger = new LogCapture();
    const world = await startWorld({ logger, imports: [hostWith(guard)], isRefusing: true });

    await new PcBrowser().visit(`${world.url}/iam/providers`);
    await world.close();

    expect(logger.with(text)).toHaveLength(1);
  });
});

describe.each(platforms)('on %s, a refusal of IamGuard on a route of the host', (_name, create) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ create, imports: [TalkingModule] });
  });
  afterAll(() => world.close());

  it('tells a filter its code and a text, in the body and in the message', async () => {
    const reply = await new PcBrowser().visit(`${world.url}/iam/orders`, {
      headers: { accept: 'application/json', 'accept-language': 'en' },
    });
    const text = 'Sign in first.';

    expect(reply.status).toBe(401);
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    expect(reply.json()).toEqual({
      name: UnauthorizedException.name,
      message: text,
      response: {
        type: 'about:blank',
        title: text,
        status: 401,
        code: 'authentication_required',
        statusCode: 401,
        message: text,
        error: 'Unauthorized',
      },
    });
  });

  it('is Nest’s ForbiddenException where a role is missing', async () => {
    const { accessToken } = await onPc(world, world.wechat.person({ nickname: '小兰' }));

    const reply = await getWith(`${world.url}/iam/orders`, accessToken);

    expect(reply.status).toBe(403);
    expect(reply.json()).toMatchObject({
      name: ForbiddenException.name,
      response: { code: 'insufficient_permissions', statusCode: 403, error: 'Forbidden' },
    });
    expect(reply.json()['message']).not.toBe('Http Exception');
  });
});

/** What no interceptor of a host may change. */
const ownHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

const headersOf = ({ headers }: Reply) =>
  Object.fromEntries(Object.keys(ownHeaders).map((name) => [name, headers.get(name)]));

/** A form of ours is sent with its Origin, which `no-referrer` would make `null`. */
const referrerPolicyOf = ({ method, path }: { method: string; path: string }) =>
  method === 'GET' && path === 'device' ? 'strict-origin' : 'no-referrer';

/** Every endpoint that there is, so that a new one is covered by itself. */
const endpoints = iamControllers
  .flatMap((controller) => endpointsOf(controller))
  // Of IamPagesModule, which this host does not import: another test file may have.
  .filter(({ path }) => !path.startsWith('ui/'));

describe.each(platforms)('on %s, a host whose global interceptors, pipes and filter', (_name, create) => {
  let world: World;
  let lan: SignedIn;
  let ming: SignedIn;
  const running: IamApp[] = [];

  beforeAll(async () => {
    world = await startFollowWorld({}, { create, options: { ...adminOptions, rateLimits: 'off' } });
    lan = await inWechat(world, world.wechat.person({ nickname: '<script>alert(1)</script>' }));
    ming = await inWechat(world, world.wechat.person({ nickname: '小明' }));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });
  afterAll(() => world.close());

  const start = async (...which: readonly Hostility[]): Promise<string> => {
    const options = { ...adminOptions, rateLimits: 'off' } as const;
    const app = await startReplica(world, { create, options, imports: [hostileModule(...which)] });
    running.push(app);
    return app.url;
  };

  it.each(hostilities)('have %s: everybody gets their own answer, as it is', async (which) => {
    const url = await start(which);

    const replies = [];
    for (const { accessToken } of [lan, ming, lan]) replies.push(await getWith(`${url}/iam/me`, accessToken));
    const refused = await getWith(`${url}/iam/me`, 'wrong');
    const renewed = await refresh(url, ming.refreshToken);
    ming = { ...ming, refreshToken: String(renewed.json()['refresh_token']) };

    expect(replies.map((reply) => [reply.status, reply.json()['id']])).toEqual(
      [lan, ming, lan].map(({ id }) => [200, id]),
    );
    for (const reply of replies) {
      expect(headersOf(reply)).toEqual(ownHeaders);
      expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    }
    expect([refused.status, refused.json()['code']]).toEqual([401, 'invalid_token']);
    expect(renewed.json()).toMatchObject({ token_type: 'Bearer' });
  });

  /** A QR code of a host with this in it, and the events that a page there sees. */
  const showQrCode = async (which: Hostility) => {
    const url = await start(which);
    const { qr, eventsUri } = await askForQrCode(url);
    const { pathname, search } = new URL(eventsUri);
    return { which, qr, stream: await openEvents(`${url}${pathname}${search}`) };
  };

  it('have any of these: the events of a scan come as they happen', async () => {
    const pages = [];
    for (const which of hostilities) pages.push(await showQrCode(which));
    for (const { qr } of pages) {
      const person = world.wechat.person({ nickname: '小红' });
      await person.scan(qr);
      await person.follow(world.oa);
    }
    await Promise.all(pages.map(({ stream }) => stream.until('scanned')));
    for (const { stream } of pages) stream.close();

    expect(
      pages.map(({ which, stream }) => [which, stream.headers.get('content-type'), stream.text()]),
    ).toEqual(
      hostilities.map((which) => [
        which,
        'text/event-stream; charset=utf-8',
        expect.stringContaining('event: scanned\ndata: {"state":"scanned"}\n\n') as string,
      ]),
    );
  });

  it('have all of that change nothing at any endpoint', async () => {
    const url = await start(...hostilities);

    for (const endpoint of endpoints) {
      const [plain, hostile, again] = [
        await ask(world.url, endpoint),
        await ask(url, endpoint),
        await ask(url, endpoint),
      ];

      expect(described(hostile, endpoint)).toEqual(described(plain, endpoint));
      expect(described(again, endpoint)).toEqual(described(plain, endpoint));
      expect(headersOf(hostile)).toEqual(headersOf(plain));
      expect(headersOf(hostile)).toEqual({ ...ownHeaders, 'referrer-policy': referrerPolicyOf(endpoint) });
    }
  });
});

/** As an administrator, with parameters and a body that name nothing. */
function ask(url: string, { method, path }: EndpointDeclaration): Promise<Reply> {
  const id = '0198c0de-0000-7000-8000-000000000000';
  const target = path.replace(/:(\w+)/g, (_all, name: string) => (/id$/i.test(name) ? id : 'nobody'));
  const isAdmin = path.startsWith('admin/');
  return new PcBrowser().visit(`${url}/iam/${target}`, {
    method,
    headers: {
      accept: 'application/json',
      'if-match': '*',
      ...(isAdmin && { authorization: `Bearer ${adminToken}` }),
    },
    ...(method !== 'GET' && { body: {} }),
  });
}

/** What must be the same, whatever the time and the request's id. */
function described(reply: Reply, { method, path }: EndpointDeclaration) {
  const type = reply.headers.get('content-type');
  const body: unknown = type?.includes('json') === true ? reply.json() : null;
  const { code, error } = body === null ? {} : reply.json();
  return {
    endpoint: `${method} ${path}`,
    status: reply.status,
    type,
    members: body === null ? reply.text.length : Object.keys(reply.json()),
    code,
    error,
  };
}
