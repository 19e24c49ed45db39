import type { INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { addMiddleware, hostileModule, hostilities, refuseForgery } from './hostile-host.js';
import type { IamAppOptions } from './iam-app.js';
import { onExpress, onFastify } from './platforms.js';

/** The platform of a host that has everything at once. */
export type CrowdedHost = 'Express' | 'Fastify';

/**
 * A host with everything that hosts have made global: caches, an envelope, a time limit, a pipe, a filter, a CSRF check,
 * helmet, compression, hooks, and throttlers that admit one request. Runs outside Jest, which cannot load the throttler.
 */
export function crowdedHost(platform: CrowdedHost): Pick<IamAppOptions, 'create' | 'imports' | 'prepare'> {
  const throttlers = ThrottlerModule.forRoot([
    { ttl: 60_000, limit: 1 },
    { name: 'hourly', ttl: 3_600_000, limit: 1 },
  ]);
  const guards = { ...throttlers, providers: [...(throttlers.providers ?? []), useThrottler] };
  return {
    create: platform === 'Express' ? onExpress : onFastify,
    imports: [hostileModule(...hostilities), guards],
    prepare: (app: INestApplication) => {
      addMiddleware(app, []);
      app.use(refuseForgery);
    },
  };
}

const useThrottler = { provide: APP_GUARD, useClass: ThrottlerGuard };
