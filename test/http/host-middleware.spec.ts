import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Controller,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Post,
} from '@nestjs/common';
import { isIamRequest } from '../../src/index.js';
import { adminOptions, AdminClient } from '../support/admin.js';
import { openEvents } from '../support/event-stream.js';
import { askForQrCode } from '../support/follow.js';
import { addMiddleware, CsrfMiddleware, refuseForgery, type Seen } from '../support/hostile-host.js';
import { PcBrowser } from '../support/pc-browser.js';
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
