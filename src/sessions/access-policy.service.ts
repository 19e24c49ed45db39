import { Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Clock } from '../runtime/clock.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { RolePermissions, uncovered } from '../roles/role-permissions.service.js';
import { type AuthenticatedUser, requirePerson } from '../http/authenticated-user.js';
import {
  REQUIRED_PERMISSIONS,
  REQUIRED_RECENT_SIGN_IN,
  REQUIRED_ROLES,
} from '../http/access-policy.decorator.js';

type Targets = Parameters<Reflector['getAll']>[1];

/** What a signed-in user needs; all given members must be met. */
export interface Requirement {
  /** At least one of them. */
  readonly roles?: readonly string[];
  /** Every one of them, as the user's roles grant them. */
  readonly permissions?: readonly string[];
  /** A sign-in within the option `recentSignIn`. */
  readonly recentSignIn?: boolean;
}

/** Checks what a user may do, for the decorators and for the host's own code. */
@Injectable()
export class Requirements {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly permissions: RolePermissions,
    private readonly reflector: Reflector,
    private readonly clock: Clock,
  ) {}

  /** @throws IamError `insufficient_permissions`, `recent_sign_in_required`, or `person_required` where only a sign-in helps */
  async require(user: AuthenticatedUser, { roles, permissions, recentSignIn }: Requirement): Promise<void> {
    if (roles !== undefined && !roles.some((role) => user.roles.includes(role)))
      throw new IamError('insufficient_permissions', `needs a role of ${roles.join(', ')}`);
    if (permissions !== undefined) await this.requirePermissions(user, permissions);
    if (recentSignIn === true) this.requireRecentSignIn(user);
  }

  /** As `require`, without an error. */
  async allows(user: AuthenticatedUser, requirement: Requirement): Promise<boolean> {
    try {
      await this.require(user, requirement);
      return true;
    } catch (error) {
      if (error instanceof IamError && refusals.has(error.code)) return false;
      throw error;
    }
  }

  /**
   * Checks what the decorators of a handler and its class require; also for a guard of the host.
   * @throws IamError as `require`
   */
  async check(targets: Targets, user: AuthenticatedUser): Promise<void> {
    for (const requirement of this.declaredAt(targets)) await this.require(user, requirement);
  }

  /** What the decorators of a handler and its class require. */
  declaredAt(targets: Targets): Requirement[] {
    const valuesOf = (key: string) => this.reflector.getAll<(string[] | undefined)[]>(key, targets);
    const permissions = valuesOf(REQUIRED_PERMISSIONS).flatMap((each) => each ?? []);
    const isRecent = this.reflector.getAllAndOverride<boolean | undefined>(REQUIRED_RECENT_SIGN_IN, targets);
    return [
      ...valuesOf(REQUIRED_ROLES).flatMap((roles) => (roles === undefined ? [] : [{ roles }])),
      ...(permissions.length === 0 ? [] : [{ permissions }]),
      ...(isRecent === true ? [{ recentSignIn: true }] : []),
    ];
  }

  /** @throws IamError `insufficient_permissions` */
  async requirePermissions(user: AuthenticatedUser, permissions: readonly string[]): Promise<void> {
    if ((await this.missing(user, permissions)).length > 0) throw lacking(permissions);
  }

  /** Those of the permissions that a user or machine does not have; a permission may be a pattern, e.g. `orders:*`. */
  async missing(user: AuthenticatedUser, permissions: readonly string[]): Promise<string[]> {
    return user.kind === 'api_key'
      ? uncovered(user.permissions, permissions)
      : this.permissions.missing(user.roles, permissions);
  }

  private requireRecentSignIn(user: AuthenticatedUser): void {
    const { recentSignIn } = this.options;
    const { id, signedInAt } = requirePerson(user);
    if (this.clock.now() - signedInAt.getTime() <= recentSignIn * 1000) return;
    throw new IamError('recent_sign_in_required', `user ${id} signed in at ${signedInAt.toISOString()}`, {
      members: { max_age: recentSignIn },
    });
  }
}

const refusals: ReadonlySet<string> = new Set([
  'insufficient_permissions',
  'recent_sign_in_required',
  'person_required',
]);

/** The response names them too, as RFC 6750 §3.1 does with `scope`: the permissions of a route are no secret. */
function lacking(permissions: readonly string[]): IamError {
  const required = permissions.join(' ');
  return new IamError('insufficient_permissions', `needs ${required}`, { members: { required } });
}
