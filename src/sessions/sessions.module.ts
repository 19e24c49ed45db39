import { Global, Module } from '@nestjs/common';
import { DatabaseModule } from '../database/database.module.js';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { HttpModule } from '../http/http.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { Requirements } from './access-policy.service.js';
import { AccessTokens } from './access-tokens.service.js';
import { ApiKeyCheck } from './api-keys/api-key-check.service.js';
import { ApiKeys } from './api-keys/api-keys.service.js';
import { Authentication } from './authentication.service.js';
import { IamGuard } from './iam.guard.js';
import { IamSockets } from './iam-sockets.service.js';
import { Jwts } from './jwts.service.js';
import { KeyRotation } from './key-rotation.service.js';
import { SessionCheck } from './session-check.service.js';
import { SessionCookies } from './session-cookies.service.js';
import { SessionRevocation } from './session-list.service.js';
import { Sessions } from './sessions.service.js';
import { SigningKeys } from './signing-keys.service.js';
import { SubjectIdentifiers } from './subject-identifiers.service.js';
import { ThirdParties } from './third-parties.service.js';
import { UserSessions } from './user-sessions.service.js';

const services = [
  Authentication,
  Requirements,
  IamGuard,
  IamSockets,
  SessionCookies,
  UserSessions,
  Sessions,
  AccessTokens,
  Jwts,
  SigningKeys,
  SubjectIdentifiers,
  ThirdParties,
  KeyRotation,
  SessionRevocation,
  ApiKeys,
];

/** Sessions, access tokens with their signing keys, and the guard. */
@Global()
@Module({
  imports: [RuntimeModule, DatabaseModule, HttpModule, RolesModule],
  providers: [...services, SessionCheck, ApiKeyCheck],
  exports: services,
})
export class SessionsModule {}
