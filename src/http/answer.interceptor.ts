import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { defer, lastValueFrom, map, type Observable } from 'rxjs';
import { EndpointAnswers } from './endpoint-answers.service.js';

/**
 * The innermost interceptor of our endpoints: writes what the handler returns or throws. The interceptors around it, which
 * are the host's, see one `undefined` when that is done: nothing to cache, to wrap or to catch.
 */
@Injectable()
export class AnswerInterceptor implements NestInterceptor {
  constructor(private readonly answers: EndpointAnswers) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<undefined> {
    const http = context.switchToHttp();
    const handle = () => lastValueFrom(next.handle());
    return defer(() => this.answers.give(http.getRequest<object>(), http.getResponse(), handle)).pipe(
      map(() => undefined),
    );
  }
}
