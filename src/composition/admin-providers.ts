import { AdminGuard } from '../admin/admin.guard.js';
import { AdminReach } from '../admin/admin-reach.service.js';
import { AdminAudit } from '../admin/audit.service.js';
import { AdminEvents } from '../admin/events.service.js';
import { KeyAdministration } from '../admin/key-administration.service.js';
import { AdminLogins } from '../admin/logins.service.js';
import { OwnPermissions } from '../admin/own-permissions.service.js';
import { ProviderCheck } from '../admin/provider-check.service.js';
import { AdminProviders } from '../admin/providers.service.js';
import { AdminRoles } from '../admin/roles.service.js';
import { AdminSessions } from '../admin/sessions.service.js';
import { AdminUserAccess } from '../admin/users-access.service.js';
import { AdminUserRemoval } from '../admin/users-removal.service.js';
import { AdminUserRoles } from '../admin/users-roles.service.js';
import { AdminUsers } from '../admin/users.service.js';
import { WechatCheck } from '../admin/wechat-check.service.js';

/** The admin API. */
export const adminProviders = [
  AdminGuard,
  KeyAdministration,
  OwnPermissions,
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
