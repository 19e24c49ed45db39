import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
  applyDecorators,
  UseGuards,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { constantTimeEqual, sha256 } from '../crypto/hash.js';
import { Authentication } from '../sessions/authentication.service.js';
import { ENDPOINT, type EndpointDescription } from '../http/endpoint.decorator.js';
import { readRequest } from '../http/iam-request.js';
import { denyUnguarded } from '../sessions/iam.guard.js';
import { Requirements } from '../sessions/access-policy.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { HostProviders } from '../config/iam.hooks.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { setActor } from '../runtime/request-context.js';
import { IamController } from '../sessions/iam-controller.decorator.js';

/** Methods of sessions that another device than the one that has them agreed to. */
const crossDevice: ReadonlySet<string> = new Set(['follow', 'device']);

/**
 * Opens the admin API to the admin token, to whom the host's own guard admits, and to users whose roles grant the
 * permission of the route. A route that names no permission is closed to everybody.
 */
@Injectable()
export class AdminGuard implements CanActivate, OnModuleInit {
  private hostGuard: CanActivate | undefined;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly origins: TrustedOrigins,
    private readonly reflector: Reflector,
    private readonly host: HostProviders,
  ) {}

  async onModuleInit(): Promise<void> {
    const { guard } = this.options.admin;
    if (guard !== undefined) this.hostGuard = await this.host.findOrCreate(guard);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<object>();
    const permission = this.reflector.get<EndpointDescription | undefined>(
      ENDPOINT,
      context.getHandler(),
    )?.permission;
    if (permission === undefined)
      throw new IamError('insufficient_permissions', 'the route names no permission');
    if (this.hasAdminToken(request)) setActor('admin_token');
    else if (await this.isAdmittedByHost(context)) {
      this.origins.checkForeignWrite(readRequest(request));
      setActor('host');
    } else await this.requireUser(request, permission);
    return true;
  }

  /** Digests are compared, so that the length of the token does not show either. */
  private hasAdminToken(request: object): boolean {
    const { token } = this.options.admin;
    const [, given] = /^Bearer +(\S+) *$/i.exec(readRequest(request).authorization ?? '') ?? [];
    return token !== undefined && given !== undefined && constantTimeEqual(sha256(token), sha256(given));
  }

  /** A guard that throws, or says anything but true, has not admitted anybody; the user's own roles may still do. */
  private async isAdmittedByHost(context: ExecutionContext): Promise<boolean> {
    if (this.hostGuard === undefined) return false;
    denyUnguarded(context.switchToHttp().getRequest<object>());
    try {
      const given = this.hostGuard.canActivate(context);
      const verdict: unknown = isObservable(given) ? await lastValueFrom(given) : await given;
      return verdict === true;
    } catch {
      return false;
    }
  }

  /** Who was shut out or lost a role must not have the rest of a token's life to take it back. */
  private async requireUser(request: object, permission: string): Promise<void> {
    const user = await this.authentication.authenticate(request, { mustLive: true });
    if (crossDevice.has(user.method) && this.options.admin.crossDeviceSessions === 'refuse')
      throw new IamError('insufficient_permissions', 'the session began by scanning with another device');
    await this.requirements.requirePermissions(user, [permission]);
  }
}

/** Endpoints for administrators, below `admin`. */
export const AdminController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(AdminGuard), IamController(`admin/${path}`));
