import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
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
import { ThirdParties } from '../sessions/third-parties.service.js';
import { TrustedOrigins } from '../http/trusted-origins.service.js';
import { HostProviders } from '../config/iam.hooks.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { setActor } from '../runtime/request-context.js';
import { CrossDeviceSessions } from '../sign-in/cross-device-sessions.service.js';
import { IamController } from '../http/endpoint-responses.service.js';

/**
 * Admits the admin token, requests that the host's own guard admits, and users, services and API keys that have the permission of
 * the route.
 * A route without a permission refuses every caller.
 */
@Injectable()
export class AdminGuard implements CanActivate, OnModuleInit {
  private hostGuard: CanActivate | undefined;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly authentication: Authentication,
    private readonly requirements: Requirements,
    private readonly parties: ThirdParties,
    private readonly crossDevice: CrossDeviceSessions,
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

  /** Compares digests, so that the time does not show the length of the token. */
  private hasAdminToken(request: object): boolean {
    const { token } = this.options.admin;
    const [, given] = /^Bearer +(\S+) *$/i.exec(readRequest(request).authorization ?? '') ?? [];
    return token !== undefined && given !== undefined && constantTimeEqual(sha256(token), sha256(given));
  }

  /** A guard that throws, or returns anything but true, does not admit; the user's own roles still may. */
  private async isAdmittedByHost(context: ExecutionContext): Promise<boolean> {
    if (this.hostGuard === undefined) return false;
    denyUnguarded(context.switchToHttp().getRequest<object>());
    try {
      const returned = this.hostGuard.canActivate(context);
      const isAdmitted: unknown = isObservable(returned) ? await lastValueFrom(returned) : await returned;
      return isAdmitted === true;
    } catch {
      return false;
    }
  }

  /** Also of machines. Checks the session too: a disabled user, or one without the role, must not use the rest of a token's lifetime to undo that. */
  private async requireUser(request: object, permission: string): Promise<void> {
    const user = await this.authentication.authenticate(request, { mustLive: true });
    this.parties.requireOwn(user);
    if (user.kind === 'person') this.crossDevice.requireSameDevice(user);
    if (permission !== 'self') await this.requirements.requirePermissions(user, [permission]);
  }
}

/** Endpoints for administrators, below `admin`. */
export const AdminController = (path: string): ClassDecorator =>
  applyDecorators(UseGuards(AdminGuard), IamController(`admin/${path}`));
