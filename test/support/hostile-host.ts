import {
  type ArgumentsHost,
  BadGatewayException,
  type CallHandler,
  Catch,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  type PipeTransform,
  RequestTimeoutException,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
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
    return typeof value === 'object' && value !== null ? { copied: JSON.stringify(value) } : value;
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

/** A host with these interceptors for everything, besides a pipe and a filter. */
export function hostileModule(...which: readonly Hostility[]): DynamicModule {
  const used = which.map((name): Type<NestInterceptor> => interceptors[name]);
  return {
    module: HostileModule,
    imports: [CacheModule.register({ ttl: 60_000 })],
    providers: [
      ...used.map((useClass) => ({ provide: APP_INTERCEPTOR, useClass })),
      { provide: APP_PIPE, useClass: CopyPipe },
      { provide: APP_FILTER, useClass: EverythingFilter },
    ],
  };
}
