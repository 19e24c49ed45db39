import { MeController } from '../account/me.controller.js';
import { MeIdentitiesController } from '../account/me-identities.controller.js';
import { MeSessionsController } from '../account/me-sessions.controller.js';
import { AdminAuditController } from '../admin/audit/audit.controller.js';
import { AdminBansController, AdminUserAccessController } from '../admin/users/users-access.controller.js';
import { AdminEventsController } from '../admin/events/events.controller.js';
import { KeysController } from '../admin/keys/keys.controller.js';
import { AdminLoginsController } from '../admin/logins/logins.controller.js';
import { AdminPermissionsController, AdminRolesController } from '../admin/roles/roles.controller.js';
import { AdminProvidersController } from '../admin/providers/providers.controller.js';
import { AdminSessionsController } from '../admin/sessions/sessions.controller.js';
import { AdminUsersController } from '../admin/users/users.controller.js';
import { DeviceAuthorizationController, FollowController } from '../follow-login/follow.controller.js';
import { DeviceController } from '../follow-login/device.controller.js';
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
  MeIdentitiesController,
  MeSessionsController,
  KeysController,
  WebhookController,
];
