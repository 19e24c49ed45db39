import {
  Injectable,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { IamHealth, OnWechatEvent, type PassiveReply, type WechatEvent } from '../../src/index.js';
import { addMiddleware, CsrfMiddleware, hostileModule, hostilities, refuseForgery } from './hostile-host.js';
import type { IamAppOptions } from './iam-app.js';
import { onExpress, onFastify } from './platforms.js';

/** The platform of a host that has everything at once. */
export type CrowdedHost = 'Express' | 'Fastify';

@Injectable()
class ChatReplies {
  @OnWechatEvent('text')
  answer({ Content }: WechatEvent<'text'>): PassiveReply {
    return { type: 'text', content: `收到：${Content}` };
  }
}

@Module({
  imports: [
    ThrottlerModule.forRoot([
      { ttl: 60_000, limit: 1 },
      { name: 'hourly', ttl: 3_600_000, limit: 1 },
    ]),
  ],
  providers: [ChatReplies, { provide: APP_GUARD, useClass: ThrottlerGuard }],
})
class CrowdedModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(CsrfMiddleware).forRoutes('*path');
  }
}

/**
 * A host with everything that hosts have made global: caches, an envelope, a time limit, a pipe, a filter, CSRF checks,
 * helmet, compression, hooks, and throttlers that admit one request. Runs outside Jest, which cannot load the throttler.
 */
export function crowdedHost(platform: CrowdedHost): Pick<IamAppOptions, 'create' | 'imports' | 'prepare'> {
  return {
    create: platform === 'Express' ? onExpress : onFastify,
    imports: [hostileModule(...hostilities), CrowdedModule],
    prepare: (app: INestApplication) => {
      addMiddleware(app, []);
      app.use(refuseForgery);
      showHealth(app);
    },
  };
}

/** `GET /health`, as 200 or 503: a route of the host, whose own interceptors and hooks make another body of every answer. */
function showHealth(app: INestApplication): void {
  const adapter = app.getHttpAdapter();
  adapter.get('/health', async (_request: unknown, response: unknown) => {
    const { iam } = await app.get(IamHealth).check();
    adapter.reply(response, iam, iam?.status === 'up' ? 200 : 503);
  });
}
