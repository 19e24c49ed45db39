import { MeController } from '../account/me.controller.js';
import { MyIdentitiesController } from '../account/my-identities.controller.js';
import { MySessionsController } from '../account/my-sessions.controller.js';
import { AdminAuditController } from '../admin/audit.controller.js';
import { AdminBansController } from '../admin/bans.controller.js';
import { AdminEventsController } from '../admin/events.controller.js';
import { KeysController } from '../admin/keys.controller.js';
import { AdminLoginsController } from '../admin/logins.controller.js';
import { AdminPermissionsController } from '../admin/permissions.controller.js';
import { AdminProvidersController } from '../admin/providers.controller.js';
import { AdminRolesController } from '../admin/roles.controller.js';
import { AdminSessionsController } from '../admin/sessions.controller.js';
import { AdminUserAccessController } from '../admin/users-access.controller.js';
import { AdminUsersController } from '../admin/users.controller.js';
import { DeviceAuthorizationController } from '../follow/device-authorization.controller.js';
import { FollowController } from '../follow/follow.controller.js';
import { DeviceController } from '../oauth/device.controller.js';
import { LinkController } from '../oauth/link.controller.js';
import { OAuthController } from '../oauth/oauth.controller.js';
import { TokenController } from '../oauth/token.controller.js';
import { WebhookController } from '../webhook/webhook.controller.js';

/** Every controller of the module. */
export const iamControllers = [
  AdminProvidersController,
  AdminPermissionsController,
  AdminRolesController,
  AdminUsersController,
  AdminUserAccessController,
  AdminBansController,
  AdminSessionsController,
  AdminLoginsController,
  AdminAuditController,
  AdminEventsController,
  OAuthController,
  TokenController,
  DeviceAuthorizationController,
  FollowController,
  DeviceController,
  LinkController,
  MeController,
  MyIdentitiesController,
  MySessionsController,
  KeysController,
  WebhookController,
];
