import { Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Clock } from '../clock.js';
import { IamError } from '../iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { RolePermissions } from '../roles/role-permissions.service.js';
import type { AuthenticatedUser } from './authenticated-user.js';
import { REQUIRED_PERMISSIONS, REQUIRED_RECENT_SIGN_IN, REQUIRED_ROLES } from './requirements.decorator.js';

type Targets = Parameters<Reflector['getAll']>[1];

/** What a route asks of a signed-in user. */
@Injectable()
export class Requirements {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly permissions: RolePermissions,
    private readonly reflector: Reflector,
    private readonly clock: Clock,
  ) {}

  /** @throws IamError `insufficient_permissions` or `recent_sign_in_required` */
  async check(targets: Targets, user: AuthenticatedUser): Promise<void> {
    const sets = this.reflector.getAll<(string[] | undefined)[]>(REQUIRED_ROLES, targets);
    const missing = sets.find(
      (anyOf) => anyOf !== undefined && !anyOf.some((role) => user.roles.includes(role)),
    );
    if (missing !== undefined)
      throw new IamError('insufficient_permissions', `needs a role of ${missing.join(', ')}`);
    const required = this.reflector
      .getAll<(string[] | undefined)[]>(REQUIRED_PERMISSIONS, targets)
      .flatMap((each) => each ?? []);
    if (required.length > 0) await this.requirePermissions(user, required);
    if (this.reflector.getAllAndOverride<boolean | undefined>(REQUIRED_RECENT_SIGN_IN, targets) === true)
      this.requireRecentSignIn(user);
  }

  /** @throws IamError `insufficient_permissions` */
  async requirePermissions(user: AuthenticatedUser, permissions: readonly string[]): Promise<void> {
    if (!(await this.permissions.grant(user.roles, permissions))) throw lacking(permissions);
  }

  private requireRecentSignIn({ id, signedInAt }: AuthenticatedUser): void {
    const { recentSignIn } = this.options;
    if (this.clock.now() - signedInAt.getTime() <= recentSignIn * 1000) return;
    throw new IamError('recent_sign_in_required', `user ${id} signed in at ${signedInAt.toISOString()}`, {
      members: { max_age: recentSignIn },
    });
  }
}

/** Names them to the caller as well (RFC 6750 §3.1 has `scope` for it): what a route asks for is no secret. */
function lacking(permissions: readonly string[]): IamError {
  const required = permissions.join(' ');
  return new IamError('insufficient_permissions', `needs ${required}`, { members: { required } });
}
