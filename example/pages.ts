import type { ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NestExpressApplication } from '@nestjs/platform-express';

/** Serves the shop's pages, `/signed-in` from `signed-in.html`, with a policy that admits no script but the shop's own. */
export function servePages(app: NestExpressApplication): void {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    // Pictures of people come from WeChat's servers.
    "img-src 'self' https:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  app.useStaticAssets(dirname(fileURLToPath(import.meta.resolve('nestjs-wechat-iam/client'))), {
    prefix: '/client/',
  });
  app.useStaticAssets(join(import.meta.dirname, 'public'), {
    extensions: ['html'],
    setHeaders: (response: ServerResponse) => {
      response.setHeader('Content-Security-Policy', policy);
      response.setHeader('Referrer-Policy', 'no-referrer');
      response.setHeader('X-Content-Type-Options', 'nosniff');
    },
  });
}
