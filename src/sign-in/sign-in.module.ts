import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { CrossDeviceSessions } from './cross-device-sessions.service.js';
import { AppCodes } from './app-codes.service.js';
import { AttemptCookies } from './attempt-cookies.service.js';
import { BrowserSessions } from './browser-sessions.service.js';
import { CodeExchange } from './code-exchange.service.js';
import { FailureLimits } from './failure-limits.service.js';
import { Bindings, IdentityLinks } from './identity-links.service.js';
import { Logins } from './logins.service.js';
import { PageCookies } from './page-cookies.service.js';
import { Redemption } from './redemption.service.js';
import { SignOut } from './sign-out.service.js';

const services = [
  CrossDeviceSessions,
  CodeExchange,
  AppCodes,
  AttemptCookies,
  BrowserSessions,
  PageCookies,
  FailureLimits,
  Logins,
  Bindings,
  Redemption,
  SignOut,
  IdentityLinks,
];

/** Attempts to sign in: from a code to a session. */
@Global()
@Module({
  imports: [
    RuntimeModule,
    DatabaseModule,
    WechatModule,
    HttpModule,
    UsersModule,
    RolesModule,
    SessionsModule,
    IdentityProvidersModule,
  ],
  providers: services,
  exports: services,
})
export class SignInModule {}
