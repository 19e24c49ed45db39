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

/** Metadata key of `@Public()`. */
export const IS_PUBLIC = 'nestjs-wechat-iam:public';

/** Opens a route, or every route of a controller, under the global guard. */
export const Public = () => SetMetadata(IS_PUBLIC, true);
