import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';

/** What a host on Express does behind its own proxy. */
export function trustProxy(app: INestApplication): void {
  const adapter = app.getHttpAdapter();
  if (adapter instanceof ExpressAdapter) adapter.set('trust proxy', 'loopback');
}
