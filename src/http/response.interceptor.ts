import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { defer, lastValueFrom, map, type Observable } from 'rxjs';
import { EndpointResponses } from './endpoint-responses.service.js';

/**
 * The innermost interceptor of our endpoints: writes what the handler returns or throws. The interceptors around it, which
 * are the host's, see one `undefined` when that is done: nothing to cache, to wrap or to catch.
 */
@Injectable()
export class ResponseInterceptor implements NestInterceptor {
  constructor(private readonly answers: EndpointResponses) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<undefined> {
    const http = context.switchToHttp();
    const call = {
      request: http.getRequest<object>(),
      response: http.getResponse<unknown>(),
      handler: context.getHandler(),
    };
    return defer(() => this.answers.give(call, () => lastValueFrom(next.handle()))).pipe(
      map(() => undefined),
    );
  }
}
