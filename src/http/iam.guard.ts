import { type CanActivate, type ExecutionContext, HttpException, Injectable } from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { errorCatalogue, IamError } from '../iam.error.js';
import { setAuthenticatedUser } from './authenticated-user.js';
import { errorHeaders, problemBody } from './error-answers.js';
import { readRequest, type IamRequest } from './iam-request.js';
import { RolePermissions } from '../roles/role-permissions.service.js';
import { IS_PUBLIC } from './public.decorator.js';
import { REQUIRED_PERMISSIONS, REQUIRED_ROLES } from './requirements.decorator.js';
import { toIamError } from './to-iam-error.js';

type Targets = Parameters<Reflector['getAll']>[1];

/** Admits bearers of a valid access token (RFC 6750 §2.1) with the roles and permissions required: no query per request. */
@Injectable()
export class IamGuard implements CanActivate {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly permissions: RolePermissions,
    private readonly reflector: Reflector,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** Refuses what has no HTTP request to read a token from (sockets, messages, GraphQL), unless it is `@Public()`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC, targets) === true) return true;
    if (context.getType() !== 'http') return false;
    const http = context.switchToHttp();
    const request = readRequest(http.getRequest());
    try {
      const claims = await this.tokens.verify(bearerToken(request));
      const { userId: id, sessionId, clientId, roles } = claims;
      await this.checkRequirements(targets, roles);
      setAuthenticatedUser(http.getRequest<object>(), { id, sessionId, clientId, roles });
      return true;
    } catch (thrown) {
      throw this.refusal(toIamError(thrown), request, http.getResponse());
    }
  }

  private async checkRequirements(targets: Targets, roles: readonly string[]): Promise<void> {
    const sets = this.reflector.getAll<(string[] | undefined)[]>(REQUIRED_ROLES, targets);
    const missing = sets.find((anyOf) => anyOf !== undefined && !anyOf.some((role) => roles.includes(role)));
    if (missing !== undefined)
      throw new IamError('insufficient_permissions', `needs a role of ${missing.join(', ')}`);
    const required = this.reflector
      .getAll<(string[] | undefined)[]>(REQUIRED_PERMISSIONS, targets)
      .flatMap((each) => each ?? []);
    if (required.length > 0 && !(await this.permissions.grant(roles, required)))
      throw new IamError('insufficient_permissions', `needs ${required.join(', ')}`);
  }

  /** An HttpException, because on the host's routes the host's own filters answer. */
  private refusal(error: IamError, request: IamRequest, response: unknown): HttpException {
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries(errorHeaders(error)))
      httpAdapter.setHeader(response, name, value);
    const { status } = errorCatalogue[error.code];
    return new HttpException(problemBody(error, request.language), status, { cause: error });
  }
}

function bearerToken(request: IamRequest): string {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(request.authorization ?? '') ?? [];
  if (token === undefined) throw new IamError('authentication_required', 'no bearer token');
  return token;
}
