import { Global, Module } from '@nestjs/common';
import { HealthModule } from '../health/health.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { KeysModule } from '../keys/keys.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { WebhookModule } from '../webhook/webhook.module.js';
import { OAuthModule } from '../oauth/oauth.module.js';
import { PrivacyModule } from '../privacy/privacy.module.js';
import { AdminPermissions, AdminReach } from './admin-reach.service.js';
import { AdminGuard } from './admin.guard.js';
import { AdminAuditController } from './audit/audit.controller.js';
import { AdminApiKeysController } from './api-keys/api-keys.controller.js';
import { AdminBackchannelLogoutsController } from './backchannel-logouts/backchannel-logouts.controller.js';
import { AdminEventsController } from './events/events.controller.js';
import { AdminClientsController } from './clients/clients.controller.js';
import { KeysController } from './keys/keys.controller.js';
import { AdminAccessController, AdminOverviewController } from './overview/overview.controller.js';
import { AdminProvidersController } from './providers/providers.controller.js';
import { AdminPermissionsController, AdminRolesController } from './roles/roles.controller.js';
import { AdminLoginsController, AdminSessionsController } from './sessions/sessions.controller.js';
import { AdminUserAccessController, AdminBansController } from './users/users-access.controller.js';
import { AdminUsersController } from './users/users.controller.js';

/** REST over everything that an operator sees and changes. */
@Global()
@Module({
  imports: [
    HttpModule,
    UsersModule,
    RolesModule,
    SessionsModule,
    IdentityProvidersModule,
    KeysModule,
    SignInModule,
    WebhookModule,
    OAuthModule,
    PrivacyModule,
    HealthModule,
  ],
  controllers: [
    AdminOverviewController,
    AdminAccessController,
    AdminProvidersController,
    AdminClientsController,
    AdminApiKeysController,
    AdminPermissionsController,
    AdminRolesController,
    AdminUsersController,
    AdminUserAccessController,
    AdminBansController,
    AdminSessionsController,
    AdminLoginsController,
    AdminAuditController,
    AdminEventsController,
    AdminBackchannelLogoutsController,
    KeysController,
  ],
  providers: [AdminGuard, AdminPermissions, AdminReach],
})
export class AdminModule {}
