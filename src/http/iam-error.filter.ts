import { Injectable, type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { throwError } from 'rxjs';
import { IamLogger } from '../runtime/iam-logger.js';
import { correlationId, runInContext } from '../runtime/request-context.js';
import { ClientRegistry } from './client-registry.service.js';
import { callerOf } from './callers.js';
import { exceptionBody, GraphqlException, patternOf, sendException } from './exceptions.js';
import type { Language } from './user-agent.js';
import { writeResponse } from './iam-response.js';
import { oauthError, pageOrProblem, logFailure } from './error-responses.js';
import { readRequest } from './iam-request.js';
import { IamRoutes } from './iam-routes.service.js';
import { findOAuthEndpoint } from './endpoint.decorator.js';
import { toIamError } from './to-iam-error.js';
import { IamError } from '../errors/iam.error.js';
import { claim } from './raw-http.js';

/** Responds to an error of one of our endpoints, and logs it once under the id that the response carries. */
@Injectable()
export class ErrorResponder {
  private readonly logger = new IamLogger('IamErrors');

  constructor(
    private readonly clients: ClientRegistry,
    private readonly routes: IamRoutes,
    private readonly application: ApplicationConfig,
  ) {}

  /** RFC 6749 §5.2 on the OAuth endpoints, a page for a navigation, else RFC 9457. */
  respond(thrown: unknown, request: unknown, response: unknown): void {
    const error = toIamError(thrown, this.globalGuards());
    const id = correlationId();
    runInContext(() => logFailure(this.logger, error), { correlationId: id });
    const read = readRequest(request);
    const endpoint = findOAuthEndpoint(this.routes.at(read.path)[0]?.endpoint ?? null);
    const answer =
      endpoint === null
        ? pageOrProblem(error, { request: read, correlationId: id, site: this.clients.site })
        : oauthError(error, endpoint);
    writeResponse(response, answer);
  }

  private globalGuards(): string[] {
    const guards = this.application.getGlobalGuards().map((guard) => guard.constructor.name);
    return [...guards, ...this.application.getGlobalRequestGuards().map(({ name }) => String(name))];
  }
}

/**
 * For the host's own handlers: responds to an `IamError` as on our endpoints, but through the host's platform and its hooks; in
 * resolvers, gateways and handlers of messages in the form of their transport.
 */
@Catch(IamError)
@Injectable()
export class IamErrorFilter implements ExceptionFilter {
  private readonly logger = new IamLogger('IamErrors');

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: IamError, host: ArgumentsHost): unknown {
    const id = correlationId();
    runInContext(() => logFailure(this.logger, error), { correlationId: id });
    const type: string = host.getType();
    if (type === 'graphql') throw new GraphqlException(error, languageOf(host));
    if (type === 'rpc') return throwError(() => exceptionBody(error, 'en'));
    if (type === 'ws')
      sendException(host.getArgByIndex(0), exceptionBody(error, languageOf(host), patternOf(host)));
    else this.respond(error, host, id);
    return undefined;
  }

  private respond(error: IamError, host: ArgumentsHost, id: string): void {
    const { httpAdapter } = this.adapterHost;
    const response = host.switchToHttp().getResponse<unknown>();
    if (httpAdapter.isHeadersSent(response) === true) return;
    const request = readRequest(host.switchToHttp().getRequest());
    const { status, headers, body } = pageOrProblem(error, { request, correlationId: id, site: null });
    for (const [name, value] of Object.entries({ ...headers, 'X-Request-Id': id }))
      httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, body ?? '', status);
  }
}

/** A call without a readable sender has failed for a reason of its own, which must not be lost. */
function languageOf(host: ArgumentsHost): Language {
  try {
    const caller = callerOf(host);
    return caller === null ? 'en' : readRequest(caller.request).language;
  } catch {
    return 'en';
  }
}

/**
 * Responds to errors of guards and of the host's interceptors on our endpoints: a filter of the controller comes before the
 * host's global ones. An error that an interceptor throws while the handler runs, such as its time limit, is dropped.
 */
@Catch()
@Injectable()
export class EndpointFilter implements ExceptionFilter {
  constructor(private readonly responder: ErrorResponder) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, response] = [http.getRequest<unknown>(), http.getResponse<unknown>()];
    if (claim(request, response)) this.responder.respond(thrown, request, response);
  }
}
