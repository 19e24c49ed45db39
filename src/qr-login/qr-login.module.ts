import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { WebhookModule } from '../webhook/webhook.module.js';
import { OAuthModule } from '../oauth/oauth.module.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { DeviceCodeGrant, ScannerResolver } from './collect.service.js';
import { ConfirmController } from './confirm.controller.js';
import { DeviceAuthorizationController } from './device-authorization.controller.js';
import { LoginStreams } from './login-streams.service.js';
import { DeviceController } from './device.controller.js';
import { QrLink } from './qr-link.service.js';
import { FollowEventHandler } from './follow/follow-event.handler.js';
import { QrLogins } from './qr-logins.service.js';
import { FollowScans } from './follow/follow-scans.service.js';
import { QrStart } from './qr-start.service.js';
import { QrPageController } from './qr-page.controller.js';
import { Followers, FollowMethod, FollowProof } from './follow/follow.method.js';
import { PageMethod } from './page/page.method.js';
import { ScanClaims } from './page/scan-claims.service.js';
import { ScanController } from './page/scan.controller.js';
import { PhonePages } from './confirm-page.js';
import { QrScreen } from './qr-screen.service.js';
import { QrWays } from './qr-way.js';
import { ApprovalsController } from './mini/approvals.controller.js';
import { Approvals } from './mini/approvals.service.js';
import { MiniMethod } from './mini/mini.method.js';
import { DeviceDecisions } from './device-decisions.service.js';
import { LoginWatch } from './login-watch.service.js';
import { PhoneLogins } from './phone-logins.service.js';
import { QrBudget } from './qr-budget.service.js';

/** Sign-in by a QR code on a PC, which a phone answers in one of several ways, and by a typed code. */
@Global()
@Module({
  imports: [
    RuntimeModule,
    DatabaseModule,
    WechatModule,
    HttpModule,
    UsersModule,
    SessionsModule,
    IdentityProvidersModule,
    SignInModule,
    WebhookModule,
    OAuthModule,
  ],
  controllers: [
    DeviceAuthorizationController,
    QrPageController,
    ConfirmController,
    ScanController,
    DeviceController,
    ApprovalsController,
  ],
  providers: [
    QrWays,
    QrScreen,
    FollowMethod,
    MiniMethod,
    Approvals,
    Followers,
    PageMethod,
    ScanClaims,
    PhonePages,
    DeviceCodeGrant,
    FollowEventHandler,
    FollowProof,
    QrLink,
    QrStart,
    LoginTokens,
    ScannerResolver,
    QrLogins,
    FollowScans,
    DeviceDecisions,
    PhoneLogins,
    LoginStreams,
    LoginWatch,
    QrBudget,
  ],
  exports: [QrBudget],
})
export class QrLoginModule {}
