import { AdminGuard } from '../admin/admin.guard.js';
import { AdminReach } from '../admin/admin-reach.service.js';
import { AdminAudit } from '../admin/audit/audit.service.js';
import { AdminEvents } from '../admin/events/events.service.js';
import { KeyAdministration } from '../admin/keys/key-administration.service.js';
import { AdminLogins } from '../admin/logins/logins.service.js';
import { AdminPermissions } from '../admin/admin-permissions.service.js';
import { ProviderCheck } from '../identity-providers/check/provider-check.service.js';
import { AdminProviders } from '../admin/providers/providers.service.js';
import { AdminRoles } from '../admin/roles/roles.service.js';
import { AdminSessions } from '../admin/sessions/sessions.service.js';
import { AdminUserAccess } from '../admin/users/users-access.service.js';
import { AdminUserRemoval } from '../admin/users/users-removal.service.js';
import { AdminUserRoles } from '../admin/users/users-roles.service.js';
import { AdminUsers } from '../admin/users/users.service.js';
import { WechatCheck } from '../identity-providers/check/wechat-check.service.js';

/** The admin API. */
export const adminProviders = [
  AdminGuard,
  KeyAdministration,
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
  AdminSessions,
  AdminLogins,
  AdminAudit,
  AdminEvents,
];
