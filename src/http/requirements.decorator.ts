import { SetMetadata } from '@nestjs/common';

/** Metadata key of `@RequireRoles()`. */
export const REQUIRED_ROLES = 'nestjs-wechat-iam:roles';

/** Metadata key of `@RequirePermissions()`. */
export const REQUIRED_PERMISSIONS = 'nestjs-wechat-iam:permissions';

/** `IamGuard` admits only users with at least one of these roles; on a class and a handler, both must be met. */
export const RequireRoles = (...roles: [string, ...string[]]) => SetMetadata(REQUIRED_ROLES, roles);

/** `IamGuard` admits only users whose roles grant all of these permissions; on a class and a handler, all of both. */
export const RequirePermissions = (...permissions: [string, ...string[]]) =>
  SetMetadata(REQUIRED_PERMISSIONS, permissions);
