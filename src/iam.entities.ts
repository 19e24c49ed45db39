import { getMetadataArgsStorage } from 'typeorm';
import { AuditDeliveryEntity } from './audit/audit-delivery.entity.js';
import { AuditEntryEntity } from './audit/audit-entry.entity.js';
import { AuditOutboxEntity } from './audit/audit-outbox.entity.js';
import { AcceptedSecretEntity } from './identity-providers/accepted-secret.entity.js';
import { IdentityProviderEntity } from './identity-providers/identity-provider.entity.js';
import { WebhookEventEntity } from './webhook/inbox/webhook-event.entity.js';
import { LoginEntity } from './sign-in/login.entity.js';
import { RefusalEntity } from './audit/refusal.entity.js';
import { RateLimitEntity } from './database/rate-limits.service.js';
import { RoleEntity } from './roles/role.entity.js';
import { UserRoleEntity } from './roles/user-role.entity.js';
import { SessionEntity } from './sessions/session.entity.js';
import { SigningKeyEntity } from './sessions/signing-key.entity.js';
import { IdentityUnionEntity } from './users/identity-union.entity.js';
import { BarredSubjectEntity } from './users/barred-subject.entity.js';
import { IdentityEntity } from './users/identity.entity.js';
import { OpenidMoveEntity } from './users/openid-move.entity.js';
import { UnionEntity } from './users/union.entity.js';
import { UserEntity } from './users/user.entity.js';

/** Every entity of the `iam` schema, for a host that does not use `autoLoadEntities`. */
export const iamEntities = [
  IdentityProviderEntity,
  AcceptedSecretEntity,
  UserEntity,
  UnionEntity,
  IdentityEntity,
  IdentityUnionEntity,
  BarredSubjectEntity,
  OpenidMoveEntity,
  LoginEntity,
  SessionEntity,
  SigningKeyEntity,
  RoleEntity,
  UserRoleEntity,
  AuditEntryEntity,
  AuditOutboxEntity,
  AuditDeliveryEntity,
  WebhookEventEntity,
  RateLimitEntity,
  RefusalEntity,
];

/** Our migrations alone make these tables: a host's `synchronize` would make them without triggers, functions and indexes. */
for (const table of getMetadataArgsStorage().tables)
  if (iamEntities.some((entity) => entity === table.target)) table.synchronize = false;
