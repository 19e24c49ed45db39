import { STATUS_CODES } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  HttpException,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { errorCatalogue, type IamError } from '../errors/iam.error.js';
import { Authentication } from './authentication.service.js';
import { errorHeaders, problemBody } from '../http/error-responses.js';
import { readRequest } from '../http/iam-request.js';
import { mergeVary } from '../http/response-writer.js';
import { IS_PUBLIC } from '../http/access-policy.decorator.js';
import { guardsOf, isIamController } from '../http/endpoint.decorator.js';
import { Requirements } from './access-policy.service.js';
import { toIamError } from '../http/to-iam-error.js';

const denied = new WeakSet<object>();

/**
 * From now on `IamGuard` leaves this request to no other guard. Without it, a guard of the host that asks `IamGuard` who may
 * administrate would get a yes for everybody, because the admin API has a guard of its own.
 */
export function denyUnguarded(request: object): void {
  denied.add(request);
}

/** Admits who is signed in, by bearer token (RFC 6750 §2.1) or cookie, with the roles and permissions required. */
@Injectable()
export class IamGuard implements CanActivate {
  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly reflector: Reflector,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** Refuses what has no HTTP request to read a token from (sockets, messages, GraphQL), unless it is `@Public()`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.isLeftToOthers(context)) return !denied.has(context.switchToHttp().getRequest());
    if (context.getType() !== 'http')
      throw new ForbiddenException('IamGuard admits HTTP requests only; @Public() opens a handler');
    const http = context.switchToHttp();
    this.tellCaches(http.getResponse());
    try {
      await this.requirements.check(targets, await this.authentication.authenticate(http.getRequest()));
      return true;
    } catch (thrown) {
      throw this.refusal(toIamError(thrown), http.getRequest(), http.getResponse());
    }
  }

  /** On the module's own endpoints the guards decide that stand there; on the host's, `@Public()` opens a route. */
  private isLeftToOthers(context: ExecutionContext): boolean {
    const [handler, controller] = [context.getHandler(), context.getClass()];
    if (isIamController(controller)) return !guardsOf(controller, handler).includes(IamGuard);
    return this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [handler, controller]) === true;
  }

  /** Where cookies say who asks, a cache between may not answer everybody alike. */
  private tellCaches(response: unknown): void {
    const { variesBy } = this.authentication;
    if (variesBy.length === 0) return;
    const { httpAdapter } = this.adapterHost;
    const present: unknown = httpAdapter.getHeader(response, 'Vary');
    httpAdapter.setHeader(response, 'Vary', mergeVary(present, variesBy));
  }

  /**
   * Nest's own exceptions, because on the host's routes the host's own filters answer. The body is that of our problem+json
   * and of Nest's exceptions at once, so that a filter finds what it looks for.
   */
  private refusal(error: IamError, request: unknown, response: unknown): HttpException {
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries(errorHeaders(error)))
      httpAdapter.setHeader(response, name, value);
    const problem = problemBody(error, readRequest(request).language);
    const { status } = errorCatalogue[error.code];
    const body = {
      ...problem,
      statusCode: status,
      message: problem['title'],
      error: STATUS_CODES[status],
    };
    if (status === 401) return new UnauthorizedException(body, { cause: error });
    if (status === 403) return new ForbiddenException(body, { cause: error });
    return new HttpException(body, status, { cause: error });
  }
}
