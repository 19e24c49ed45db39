import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/** Metadata key of `@RequireRoles()`. */
export const REQUIRED_ROLES = 'nestjs-wechat-iam:roles';

/** Metadata key of `@RequirePermissions()`. */
export const REQUIRED_PERMISSIONS = 'nestjs-wechat-iam:permissions';

/** Metadata key of `@RequireRecentSignIn()`. */
export const REQUIRED_RECENT_SIGN_IN = 'nestjs-wechat-iam:recent-sign-in';

/** `IamGuard` admits only users with at least one of these roles; on a class and a handler, both must be met. */
export const RequireRoles = (...roles: [string, ...string[]]) => SetMetadata(REQUIRED_ROLES, roles);

/** `IamGuard` admits only users whose roles grant all of these permissions; on a class and a handler, all of both. */
export const RequirePermissions = (...permissions: [string, ...string[]]) =>
  SetMetadata(REQUIRED_PERMISSIONS, permissions);

/** `IamGuard` admits only who signed in within the option `recentSignIn`; others get `recent_sign_in_required` (RFC 9470). */
export const RequireRecentSignIn = () => SetMetadata(REQUIRED_RECENT_SIGN_IN, true);

/** Metadata key of `@Public()` and `@OptionalAuth()`. */
const ADMISSION = 'nestjs-wechat-iam:admission';

/** Who else than signed-in users `IamGuard` admits. */
type Admission = 'public' | 'optional';

/** Opens a route, or every route of a controller that requires nothing itself, under the global guard. */
export const Public = () => SetMetadata(ADMISSION, 'public' satisfies Admission);

/**
 * `IamGuard` also admits who shows no token: `@CurrentUser()` is undefined then. A token that is broken or has expired is refused all
 * the same, so that a front-end refreshes it instead of taking the person for a stranger.
 */
export const OptionalAuth = () => SetMetadata(ADMISSION, 'optional' satisfies Admission);

/** Metadata key of `@AllowMachines()`. */
const MACHINES = 'nestjs-wechat-iam:machines';

/**
 * `IamGuard` also admits services and API keys to a handler that requires neither role nor permission. To one that does, it admits
 * those that have them without this.
 */
export const AllowMachines = () => SetMetadata(MACHINES, true);

const reflector = new Reflector();

/** Whether a handler, or its class, says `@AllowMachines()`. */
export function allowsMachines(
  handler: ReturnType<ExecutionContext['getHandler']>,
  controller: ReturnType<ExecutionContext['getClass']>,
): boolean {
  return reflector.getAllAndOverride<boolean | undefined>(MACHINES, [handler, controller]) === true;
}

const requirements = [REQUIRED_ROLES, REQUIRED_PERMISSIONS, REQUIRED_RECENT_SIGN_IN];

/**
 * Who else than signed-in users a handler admits. What stands at the handler comes before what stands at its class, also a
 * requirement before `@Public()`, which would drop it in silence.
 */
export function admissionTo(
  handler: ReturnType<ExecutionContext['getHandler']>,
  controller: ReturnType<ExecutionContext['getClass']>,
): Admission | undefined {
  const own = reflector.get<Admission | undefined>(ADMISSION, handler);
  if (own !== undefined) return own;
  const ofClass = reflector.get<Admission | undefined>(ADMISSION, controller);
  const requires = requirements.some((key) => reflector.get<unknown>(key, handler) !== undefined);
  return ofClass === 'public' && requires ? undefined : ofClass;
}
