import { AdminGuard } from '../admin/admin.guard.js';
import { AdminReach, AdminPermissions } from '../admin/admin-reach.service.js';
import { ProviderCheck } from '../identity-providers/check/provider-check.service.js';
import { AdminProviders } from '../admin/providers/providers.service.js';
import { AdminRoles } from '../admin/roles/roles.service.js';
import { AdminUserAccess, AdminUserRoles } from '../admin/users/users-access.service.js';
import { AdminUserRemoval, AdminUsers } from '../admin/users/users.service.js';
import { WechatCheck } from '../identity-providers/check/wechat-check.service.js';

/** The admin API. */
export const adminProviders = [
  AdminGuard,
  AdminPermissions,
  AdminReach,
  AdminProviders,
  ProviderCheck,
  WechatCheck,
  AdminRoles,
  AdminUsers,
  AdminUserAccess,
  AdminUserRemoval,
  AdminUserRoles,
];
