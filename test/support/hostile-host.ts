import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ArgumentMetadata,
  type ArgumentsHost,
  BadGatewayException,
  BadRequestException,
  type CallHandler,
  Catch,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  Module,
  type NestInterceptor,
  type NestMiddleware,
  type PipeTransform,
  RequestTimeoutException,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import compression from 'compression';
import helmet from 'helmet';
import { catchError, map, type Observable, of, repeat, retry, tap, throwError, timeout } from 'rxjs';

interface Http {
  readonly method: string;
  readonly url: string;
}

/** As in Nest's documentation: every answer in an envelope. */
@Injectable()
class WrapInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ code: 0, data })));
  }
}

/** As in Nest's documentation, with a time that nothing meets. */
@Injectable()
class TimeoutInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      timeout(1),
      catchError(() => throwError(() => new RequestTimeoutException())),
    );
  }
}

/** As in Nest's documentation: every error is another one. */
@Injectable()
class ErrorsInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      retry(2),
      catchError(() => throwError(() => new BadGatewayException())),
    );
  }
}

/** Tries again what has worked. */
@Injectable()
class RepeatInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(repeat(2));
  }
}

/** A cache by address that also keeps what is empty, and gives everybody the same. */
@Injectable()
class AddressCache implements NestInterceptor {
  private readonly kept = new Map<string, unknown>();

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, url } = context.switchToHttp().getRequest<Http>();
    const key = `${method} ${url}`;
    if (this.kept.has(key)) return of(this.kept.get(key));
    return next.handle().pipe(tap((value) => this.kept.set(key, value)));
  }
}

/** Answers everything itself. */
@Injectable()
class StandIn implements NestInterceptor {
  intercept(): Observable<unknown> {
    return of({ id: 'somebody else' });
  }
}

/** Makes other values of all it is given. */
@Injectable()
class CopyPipe implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? `${value}, copied` : { copied: JSON.stringify(value) };
  }
}

/** Admits only bodies and queries whose class says how to validate them. */
@Injectable()
class ClassesOnlyPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    const isPlain = metatype === undefined || metatype === Object;
    if (isPlain && (type === 'body' || type === 'query')) throw new BadRequestException(`${type}: no class`);
    return value;
  }
}

/** As in Nest's documentation: everything thrown becomes the host's own answer. */
@Catch()
class EverythingFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(_thrown: unknown, host: ArgumentsHost): void {
    this.adapterHost.httpAdapter.reply(host.switchToHttp().getResponse(), { host: 'failed' }, 500);
  }
}

const interceptors = {
  'a cache as Nest has it': CacheInterceptor,
  'an envelope': WrapInterceptor,
  'a time limit': TimeoutInterceptor,
  'errors of its own': ErrorsInterceptor,
  'a second try': RepeatInterceptor,
  'a cache by address': AddressCache,
  'an answer of its own': StandIn,
} as const;

/** What a host may have made global. */
export type Hostility = keyof typeof interceptors;

/** Every one of them. */
export const hostilities = Object.keys(interceptors) as readonly Hostility[];

@Module({})
class HostileModule {}

/** A host with these interceptors for everything, besides pipes and a filter. */
export function hostileModule(...which: readonly Hostility[]): DynamicModule {
  const used = which.map((name): Type<NestInterceptor> => interceptors[name]);
  return {
    module: HostileModule,
    imports: [CacheModule.register({ ttl: 60_000 })],
    providers: [
      ...used.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
      { provide: APP_PIPE, useClass: ClassesOnlyPipe },
      { provide: APP_PIPE, useClass: CopyPipe },
      { provide: APP_FILTER, useClass: EverythingFilter },
    ],
  };
}

type Next = (error?: unknown) => void;

/** The requests that a host's middleware or hooks have seen, as `GET /iam/me`. */
export type Seen = string[];

/** Refuses every write without a token that only the host's own pages have. */
export function refuseForgery(request: IncomingMessage, response: ServerResponse, next: Next): void {
  const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? '');
  if (isSafe || request.headers['x-csrf-token'] !== undefined) next();
  else response.writeHead(403, { 'content-type': 'text/plain' }).end('csrf token missing');
}

/** The same as Nest's own middleware. */
@Injectable()
export class CsrfMiddleware implements NestMiddleware {
  use(request: IncomingMessage, response: ServerResponse, next: Next): void {
    refuseForgery(request, response, next);
  }
}

/** Middleware that a host has, on either platform: what it sees, and what it does to every answer. */
export function addMiddleware(app: INestApplication, seen: Seen): void {
  app.use((request: IncomingMessage, response: PatchedResponse, next: Next) => {
    seen.push(`${request.method ?? ''} ${(request.url ?? '').replace(/\?.*/s, '')}`);
    response.setHeader('Content-Type', 'text/html');
    response.setHeader('ETag', '"of-the-host"');
    response.setHeader('X-Host', 'seen');
    response.json = (body) => response.end(JSON.stringify({ patched: body }));
    response.send = (body) => response.end(`patched ${String(body)}`);
    next();
  });
  app.use(helmet());
  app.use(compression({ threshold: 0 }));
  if (app.getHttpAdapter().getType() === 'fastify') addHooks(app, seen);
}

interface PatchedResponse extends ServerResponse {
  json(body: unknown): unknown;
  send(body: unknown): unknown;
}

interface WithHooks {
  addHook(name: string, hook: (...parameters: never[]) => Promise<unknown>): unknown;
}

/** Hooks of Fastify that change every answer. */
function addHooks(app: INestApplication, seen: Seen): void {
  const fastify = app.get(HttpAdapterHost).httpAdapter.getInstance<WithHooks>();
  fastify.addHook('preHandler', async (request: { method: string; url: string }) => {
    seen.push(`preHandler ${request.method} ${request.url.replace(/\?.*/s, '')}`);
  });
  fastify.addHook('preSerialization', async (_request, _reply, payload) => ({ hooked: payload as unknown }));
  fastify.addHook('onSend', async () => 'hooked');
}
