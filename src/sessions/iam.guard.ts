import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  Injectable,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { IamError } from '../errors/iam.error.js';
import { admissionTo, allowsMachines } from '../http/access-policy.decorator.js';
import { type Caller, callerOf, takeSocket } from '../http/callers.js';
import { guardsOf, isIamController } from '../http/endpoint.decorator.js';
import { IamController } from '../http/endpoint-responses.service.js';
import { errorHeaders } from '../http/error-responses.js';
import {
  exceptionBody,
  GraphqlException,
  patternOf,
  toHttpException,
  toRpcException,
  toWsException,
} from '../http/exceptions.js';
import { readRequest } from '../http/iam-request.js';
import { type AuthenticatedUser, requirePerson, setAuthenticatedUser } from '../http/authenticated-user.js';
import { Resources } from '../http/resources.service.js';
import { mergeVary } from '../http/iam-response.js';
import { toIamError } from '../http/to-iam-error.js';
import { type Requirement, Requirements } from './access-policy.service.js';
import { Authentication } from './authentication.service.js';
import { ThirdParties } from './third-parties.service.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;

/** What a handler and its class say of who may call it. */
interface Access {
  readonly requirements: readonly Requirement[];
  /** Also who shows no token. */
  readonly isOptional: boolean;
  /** Also services and API keys. */
  readonly admitsMachines: boolean;
  /** Of this module: not for applications of third parties. */
  readonly isOurs: boolean;
}

const denied = new WeakSet<object>();

/**
 * Makes `IamGuard` refuse this request where it would leave it to another guard. Without this, a guard of the host that calls
 * `IamGuard` would admit everybody to the admin API, which has a guard of its own.
 */
export function denyUnguarded(request: object): void {
  denied.add(request);
}

/**
 * Admits signed-in users, by bearer token (RFC 6750 §2.1) or cookie, who have the required roles and permissions: to handlers of
 * HTTP, GraphQL and gateways. Services and API keys are admitted where a role or permission is required, which they have, or by
 * `@AllowMachines()`. Messages of other services carry no token: their handlers are refused unless `@Public()`.
 */
@Injectable()
export class IamGuard implements CanActivate {
  private readonly known = new WeakMap<Type, WeakMap<Handler, Access | null>>();

  constructor(
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly parties: ThirdParties,
    private readonly resources: Resources,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.accessTo(context.getClass(), context.getHandler());
    if (access === null) return !denied.has(context.getArgByIndex<object>(0));
    const caller = callerOf(context);
    if (caller === null) return this.admitStranger(access, context);
    this.addVary(caller, access);
    try {
      await this.admit(caller, access, context);
      return true;
    } catch (thrown) {
      throw await this.refusal(toIamError(thrown), caller, context);
    }
  }

  private async admit(caller: Caller, access: Access, context: ExecutionContext): Promise<void> {
    const user = await this.identify(caller);
    if (user === null) requireNobody(access);
    else {
      if (access.isOurs) this.parties.requireOwn(user);
      await this.requireAll(access.admitsMachines ? user : requirePerson(user), access);
    }
    if (user !== null && context.getType() === 'ws') takeSocket(caller.holder, user.id);
  }

  /** Who lacks a permission stays who they are: other fields of the operation, or messages of the socket, may be theirs. */
  private async identify({ request, holder }: Caller): Promise<AuthenticatedUser | null> {
    let user: AuthenticatedUser | null = null;
    try {
      user = this.authentication.recall(request) ?? (await this.authentication.find(request));
      return user;
    } finally {
      if (holder !== request) setAuthenticatedUser(holder, user ?? undefined);
    }
  }

  private async requireAll(user: AuthenticatedUser, { requirements }: Access): Promise<void> {
    for (const requirement of requirements) await this.requirements.require(user, requirement);
  }

  /** Of a transport that shows no token. */
  private async admitStranger(access: Access, context: ExecutionContext): Promise<boolean> {
    if (isForNobody(access)) return true;
    const reason = 'IamGuard finds no token in a message; @Public() opens a handler';
    if (context.getType() !== 'rpc') throw new ForbiddenException(reason);
    throw await toRpcException({ status: 'error', code: 'authentication_required', message: reason });
  }

  /** Null for a handler that is left to others. Read once, since Nest's metadata does not change. */
  private accessTo(controller: Type, handler: Handler): Access | null {
    const known = this.known.get(controller) ?? new WeakMap<Handler, Access | null>();
    const access = known.get(handler);
    if (access !== undefined) return access;
    const read = this.readAccess(controller, handler);
    this.known.set(controller, known.set(handler, read));
    return read;
  }

  /** The module's own endpoints may have another guard; on the host's, `@Public()` opens a route. */
  private readAccess(controller: Type, handler: Handler): Access | null {
    const targets = [handler, controller];
    const requirements = this.requirements.declaredAt(targets);
    const isOurs = isIamController(controller);
    const access = { requirements, isOptional: false, admitsMachines: false, isOurs };
    if (isOurs) return guardsOf(controller, handler).includes(IamGuard) ? access : null;
    const admission = admissionTo(handler, controller);
    if (admission === 'public') return null;
    return {
      requirements,
      isOptional: admission === 'optional',
      admitsMachines: requirements.some(isOfRights) || allowsMachines(handler, controller),
      isOurs,
    };
  }

  /** Without `Vary`, a cache would send the response for one user, or for a stranger, to every user. */
  private addVary({ response }: Caller, { isOptional }: Access): void {
    const { variesBy } = this.authentication;
    const headers = isOptional && variesBy.length === 0 ? ['Authorization'] : variesBy;
    if (headers.length === 0 || response === undefined) return;
    const { httpAdapter } = this.adapterHost;
    const present: unknown = httpAdapter.getHeader(response, 'Vary');
    httpAdapter.setHeader(response, 'Vary', mergeVary(present, headers));
  }

  private async refusal(error: IamError, { request, response }: Caller, context: ExecutionContext) {
    const { language, path } = readRequest(request);
    const type: string = context.getType();
    if (type === 'graphql') return new GraphqlException(error, language);
    if (type === 'ws') return toWsException(exceptionBody(error, language, patternOf(context)));
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries(errorHeaders(error, this.resources.metadataAt(path))))
      httpAdapter.setHeader(response, name, value);
    return toHttpException(error, language);
  }
}

/** Endpoints for signed-in users. */
export const UserController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(IamGuard), IamController(path));

/** Who has been given a right may use it, also a machine. */
function isOfRights({ roles, permissions }: Requirement): boolean {
  return roles !== undefined || permissions !== undefined;
}

/** A handler that requires something of its user is for no stranger. */
function isForNobody({ isOptional, requirements }: Access): boolean {
  return isOptional && requirements.length === 0;
}

function requireNobody(access: Access): void {
  if (!isForNobody(access)) throw new IamError('authentication_required', 'neither bearer token nor cookie');
}
