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
import { IamGuard, isIamRequest, RequireRoles } from '../../src/index.js';
import { startReplica, startWorld, type World } from '../support/iam-app.js';
import { LogCapture } from '../support/log-capture.js';
import { PcBrowser } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { getWith } from '../support/sign-in.js';
import { onPc } from '../support/signed-in.js';

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
