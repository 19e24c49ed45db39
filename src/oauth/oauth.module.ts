import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DatabaseModule } from '../database/database.module.js';
import { HttpModule } from '../http/http.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { UsersModule } from '../users/users.module.js';
import { Authorize } from './authorize.service.js';
import { Callback } from './callback.service.js';
import { ClientAssertions } from './clients/client-assertions.service.js';
import { ClientAuthentication } from './clients/client-authentication.service.js';
import { ClientReturns } from './client-returns.service.js';
import { ClientKeys } from './clients/client-keys.service.js';
import { ClientRows } from './clients/client-rows.service.js';
import { Clients } from './clients/clients.service.js';
import { ClientConsents } from './consent/client-consents.service.js';
import { ConsentController, MeConsentsController } from './consent/consent.controller.js';
import { StoredClients } from './clients/stored-clients.service.js';
import { LogoutOutbox } from './backchannel/logout-outbox.service.js';
import { LogoutSender } from './backchannel/logout-sender.service.js';
import { EndSessionController } from './end-session/end-session.controller.js';
import { EndSession } from './end-session/end-session.service.js';
import { IdTokenHints } from './openid/id-token-hints.service.js';
import { Metadata } from './metadata.service.js';
import {
  OpenMethod,
  MpMethod,
  AuthorizationCodeGrant,
  ClientCredentialsGrant,
  RefreshTokenGrant,
  MiniProgramGrant,
  MobileAppGrant,
} from './methods-and-grants.js';
import { IdTokens } from './openid/id-tokens.service.js';
import { Userinfo, UserinfoController } from './openid/userinfo.controller.js';
import { Introspection } from './introspection.service.js';
import { LinkController, OAuthController } from './oauth.controller.js';
import { PushedAuthorization } from './pushed-authorization.service.js';
import { PushedRequests } from './pushed-requests.service.js';
import { SectorDocuments } from './clients/sector-documents.service.js';
import { SignInMethods, TokenGrants } from './registration.js';
import { SingleSignOn } from './single-sign-on.service.js';
import { TokenController } from './token.controller.js';
import { Revocation, Token } from './token.service.js';

/** Our authorization server, where ways of signing in and grants register. */
@Global()
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
  controllers: [
    OAuthController,
    TokenController,
    LinkController,
    UserinfoController,
    EndSessionController,
    ConsentController,
    MeConsentsController,
  ],
  providers: [
    Clients,
    ClientReturns,
    ClientConsents,
    ClientRows,
    SectorDocuments,
    StoredClients,
    ClientKeys,
    ClientAssertions,
    ClientAuthentication,
    PushedRequests,
    PushedAuthorization,
    Introspection,
    Authorize,
    Callback,
    EndSession,
    LogoutOutbox,
    LogoutSender,
    IdTokenHints,
    SingleSignOn,
    SignInMethods,
    OpenMethod,
    MpMethod,
    TokenGrants,
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
    MiniProgramGrant,
    MobileAppGrant,
    Token,
    Revocation,
    Metadata,
    IdTokens,
    Userinfo,
  ],
  exports: [
    ClientConsents,
    Clients,
    SingleSignOn,
    LogoutOutbox,
    ClientReturns,
    ClientRows,
    ClientAuthentication,
    Authorize,
    SignInMethods,
  ],
})
export class OAuthModule {}
