import type { ServerResponse } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeIam } from 'nestjs-wechat-iam/openapi';

/** Swagger UI writes styles into its elements; its scripts and pictures are its own and served from here. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Serves the description of every endpoint at `/docs`, and as JSON at `/docs-json`. */
export function serveApiDocs(app: NestExpressApplication, publicUrl: string): void {
  describeIam();
  const accessCookie = publicUrl.startsWith('https:') ? '__Host-iam-access' : 'iam-access';
  const description = new DocumentBuilder()
    .setTitle('山茶小铺 · Camellia Tea')
    .addBearerAuth(undefined, 'iam')
    .addCookieAuth(accessCookie, undefined, 'iam-cookie')
    .build();
  app.use('/docs', (_: unknown, response: ServerResponse, next: () => void) => {
    response.setHeader('Content-Security-Policy', policy);
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    next();
  });
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description), {
    customSiteTitle: '山茶小铺 · API',
    customfavIcon: '/camellia.svg',
    swaggerOptions: { validatorUrl: null, docExpansion: 'none', tagsSorter: 'alpha' },
  });
}
