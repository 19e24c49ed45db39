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
 * Makes `IamGuard` refuse this request where it would leave it to another guard. Without this, a guard of the host that calls
 * `IamGuard` would admit everybody to the admin API, which has a guard of its own.
 */
export function denyUnguarded(request: object): void {
  denied.add(request);
}

/** Admits signed-in users, by bearer token (RFC 6750 §2.1) or cookie, who have the required roles and permissions. */
@Injectable()
export class IamGuard implements CanActivate {
  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly reflector: Reflector,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** Refuses handlers without an HTTP request that could carry a token (sockets, messages, GraphQL), unless `@Public()`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.isLeftToOthers(context)) return !denied.has(context.switchToHttp().getRequest());
    if (context.getType() !== 'http')
      throw new ForbiddenException('IamGuard admits HTTP requests only; @Public() opens a handler');
    const http = context.switchToHttp();
    this.addVary(http.getResponse());
    try {
      await this.requirements.check(
        [context.getHandler(), context.getClass()],
        await this.authentication.authenticate(http.getRequest()),
      );
      return true;
    } catch (thrown) {
      throw this.refusal(toIamError(thrown), http.getRequest(), http.getResponse());
    }
  }

  /** The module's own endpoints may have another guard; on the host's, `@Public()` opens a route. */
  private isLeftToOthers(context: ExecutionContext): boolean {
    const [handler, controller] = [context.getHandler(), context.getClass()];
    if (isIamController(controller)) return !guardsOf(controller, handler).includes(IamGuard);
    return this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, [handler, controller]) === true;
  }

  /** Without `Vary`, a cache would send the response for one cookie to every user. */
  private addVary(response: unknown): void {
    const { variesBy } = this.authentication;
    if (variesBy.length === 0) return;
    const { httpAdapter } = this.adapterHost;
    const present: unknown = httpAdapter.getHeader(response, 'Vary');
    httpAdapter.setHeader(response, 'Vary', mergeVary(present, variesBy));
  }

  /**
   * Nest's own exceptions, because on the host's routes the host's filters write the response. The body has the members of
   * our problem+json and those of Nest's exceptions, so that every filter finds the ones it reads.
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
