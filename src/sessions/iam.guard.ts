import { STATUS_CODES } from 'node:http';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  HttpException,
  Injectable,
  type Type,
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
import { type Requirement, Requirements } from './access-policy.service.js';
import { toIamError } from '../http/to-iam-error.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

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
  private readonly known = new WeakMap<Type, WeakMap<Handler, readonly Requirement[] | null>>();

  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly reflector: Reflector,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** Refuses handlers without an HTTP request that could carry a token (sockets, messages, GraphQL), unless `@Public()`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const requirements = this.requirementsOf(context.getClass(), context.getHandler());
    const [request, response] = context.getArgs<[object, unknown]>();
    if (requirements === null) return !denied.has(request);
    if (context.getType() !== 'http')
      throw new ForbiddenException('IamGuard admits HTTP requests only; @Public() opens a handler');
    this.addVary(response);
    try {
      const user = this.authentication.recall(request) ?? (await this.authentication.authenticate(request));
      for (const requirement of requirements) await this.requirements.require(user, requirement);
      return true;
    } catch (thrown) {
      throw this.refusal(toIamError(thrown), request, response);
    }
  }

  /** Null for a handler that is left to others. Read once, since Nest's metadata does not change. */
  private requirementsOf(controller: Type, handler: Handler): readonly Requirement[] | null {
    const known = this.known.get(controller) ?? new WeakMap<Handler, readonly Requirement[] | null>();
    const requirements = known.get(handler);
    if (requirements !== undefined) return requirements;
    const targets = [handler, controller];
    const read = this.isLeftToOthers(controller, handler) ? null : this.requirements.declaredAt(targets);
    this.known.set(controller, known.set(handler, read));
    return read;
  }

  /** The module's own endpoints may have another guard; on the host's, `@Public()` opens a route. */
  private isLeftToOthers(controller: Type, handler: Handler): boolean {
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
