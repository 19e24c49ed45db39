import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { HttpModule } from '../http/http.module.js';
import { UsersModule } from '../users/users.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { Authorize } from './authorize.service.js';
import { Callback } from './callback.service.js';
import { Clients } from './clients.service.js';
import { Metadata } from './metadata.service.js';
import { LinkController, OAuthController } from './oauth.controller.js';
import { OpenMethod, MpMethod } from './redirect-methods.js';
import { SignInMethods, TokenGrants } from './registration.js';
import {
  AuthorizationCodeGrant,
  RefreshTokenGrant,
  MiniProgramGrant,
  MobileAppGrant,
} from './token-grants.js';
import { TokenController } from './token.controller.js';
import { Revocation, Token } from './token.service.js';

/** Our authorization server, where ways of signing in and grants register. */
@Module({
  imports: [
    DiscoveryModule,
    RuntimeModule,
    DatabaseModule,
    HttpModule,
    UsersModule,
    SessionsModule,
    IdentityProvidersModule,
    SignInModule,
  ],
  controllers: [OAuthController, TokenController, LinkController],
  providers: [
    Clients,
    Authorize,
    Callback,
    SignInMethods,
    OpenMethod,
    MpMethod,
    TokenGrants,
    AuthorizationCodeGrant,
    RefreshTokenGrant,
    MiniProgramGrant,
    MobileAppGrant,
    Token,
    Revocation,
    Metadata,
  ],
  exports: [Clients, Authorize, SignInMethods],
})
export class OAuthModule {}
