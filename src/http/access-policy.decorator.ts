import { SetMetadata } from '@nestjs/common';

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

/** Metadata key of `@Public()` and `@OptionalAuth()`, of which a handler's own comes before that of its class. */
export const ADMISSION = 'nestjs-wechat-iam:admission';

/** Whom `IamGuard` admits besides signed-in users. */
export type Admission = 'public' | 'optional';

/** Opens a route, or every route of a controller, under the global guard. */
export const Public = () => SetMetadata(ADMISSION, 'public' satisfies Admission);

/**
 * `IamGuard` also admits who shows no token: `@CurrentUser()` is undefined then. A token that is broken or has expired is refused all
 * the same, so that a front-end refreshes it instead of taking the person for a stranger.
 */
export const OptionalAuth = () => SetMetadata(ADMISSION, 'optional' satisfies Admission);
