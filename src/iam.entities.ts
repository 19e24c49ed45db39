import type { EntitySchema } from 'typeorm';
import {
  AuditDeliveryEntity,
  AuditEntryEntity,
  AuditOutboxEntity,
  RefusalEntity,
} from './audit/audit.entities.js';
import { AcceptedSecretEntity } from './identity-providers/confirmations.service.js';
import { IdentityProviderEntity } from './identity-providers/identity-provider.entity.js';
import { MiniSessionKeyEntity } from './identity-providers/session-keys.service.js';
import { WebhookEventEntity } from './webhook/inbox/webhook-event.entity.js';
import { LoginEntity } from './sign-in/login.entity.js';
import { RateLimitEntity } from './database/rate-limits.service.js';
import { ClientAssertionEntity } from './oauth/clients/client-assertions.service.js';
import { BackchannelLogoutEntity } from './oauth/backchannel/backchannel-logout.entity.js';
import { ClientEntity } from './oauth/clients/client-columns.js';
import { PushedRequestEntity } from './oauth/pushed-requests.service.js';
import { ConsentEntity } from './oauth/consent/client-consents.service.js';
import { RoleEntity, UserRoleEntity } from './roles/role.entity.js';
import { BrowserSessionEntity } from './sessions/browser-session.entity.js';
import { ApiKeyEntity } from './sessions/api-keys/api-key.js';
import { SessionEntity } from './sessions/session.entity.js';
import { SigningKeyEntity } from './sessions/signing-key.js';
import { SubjectSecretEntity } from './sessions/subject-identifiers.service.js';
import {
  IdentityUnionEntity,
  IdentityEntity,
  OpenidMoveEntity,
  UnionEntity,
} from './users/identity.entity.js';
import { BarredSubjectEntity, UserEntity } from './users/user.entity.js';

/** Every entity of the `iam` schema, for a host that does not use `autoLoadEntities`. */
export const iamEntities: EntitySchema[] = [
  IdentityProviderEntity,
  ClientEntity,
  ClientAssertionEntity,
  PushedRequestEntity,
  ConsentEntity,
  AcceptedSecretEntity,
  UserEntity,
  UnionEntity,
  IdentityEntity,
  IdentityUnionEntity,
  BarredSubjectEntity,
  OpenidMoveEntity,
  MiniSessionKeyEntity,
  LoginEntity,
  SessionEntity,
  BrowserSessionEntity,
  ApiKeyEntity,
  BackchannelLogoutEntity,
  SigningKeyEntity,
  SubjectSecretEntity,
  RoleEntity,
  UserRoleEntity,
  AuditEntryEntity,
  AuditOutboxEntity,
  AuditDeliveryEntity,
  WebhookEventEntity,
  RateLimitEntity,
  RefusalEntity,
];
