import { AuditDelivery } from '../audit/audit-delivery.service.js';
import { AuditTrail } from '../audit/audit-trail.service.js';
import { Cleanup } from '../cleanup/cleanup.service.js';
import { Clock } from '../clock.js';
import { ClockSync } from '../database/clock-sync.service.js';
import { Erasure } from '../erasure/erasure.service.js';
import { HookRunner } from '../hooks/hook-runner.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { AcceptedSecrets } from '../identity-providers/accepted-secrets.service.js';
import { ProviderRows } from '../identity-providers/provider-rows.service.js';
import { StoredProviders } from '../identity-providers/stored-providers.service.js';
import { EventReplay } from '../inbox/event-replay.service.js';
import { InboxList } from '../inbox/inbox-list.service.js';
import { InboxWorker } from '../inbox/inbox-worker.service.js';
import { Inbox } from '../inbox/inbox.service.js';
import { Reseal } from '../keys/reseal.service.js';
import { Bindings } from '../logins/bindings.service.js';
import { FollowLogins } from '../logins/follow-logins.service.js';
import { FollowScans } from '../logins/follow-scans.service.js';
import { IdentityLinks } from '../logins/identity-links.service.js';
import { LoginList } from '../logins/login-list.service.js';
import { LoginWatch } from '../logins/login-watch.service.js';
import { Logins } from '../logins/logins.service.js';
import { Redemption } from '../logins/redemption.service.js';
import { FailureLimits } from '../rate-limits/failure-limits.service.js';
import { QrBudget } from '../rate-limits/qr-budget.service.js';
import { SignOut } from '../logins/sign-out.service.js';
import { UserCodes } from '../logins/user-codes.js';
import { DeviceApprovals } from '../logins/device-approvals.service.js';
import { Scenes } from '../logins/scene.js';
import { RateLimits } from '../rate-limits/rate-limits.service.js';
import { RolePermissions } from '../roles/role-permissions.service.js';
import { Roles } from '../roles/roles.service.js';
import { UserRoles } from '../roles/user-roles.service.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { KeyRotation } from '../sessions/key-rotation.service.js';
import { OwnSessions } from '../sessions/own-sessions.service.js';
import { SessionCheck } from '../sessions/session-check.service.js';
import { SessionList } from '../sessions/session-list.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { SigningKeys } from '../sessions/signing-keys.service.js';
import { Telemetry } from '../telemetry/telemetry.service.js';
import { LastingBans } from '../users/lasting-bans.service.js';
import { OwnIdentities } from '../users/own-identities.service.js';
import { Profiles } from '../users/profiles.service.js';
import { UserList } from '../users/user-list.service.js';
import { UserMerges } from '../users/user-merges.service.js';
import { Users } from '../users/users.service.js';

/** What owns the tables, and what works in the background. */
export const stateProviders = [
  Inbox,
  InboxWorker,
  FollowLogins,
  FollowScans,
  Scenes,
  UserCodes,
  DeviceApprovals,
  LoginWatch,
  RateLimits,
  QrBudget,
  FailureLimits,
  IdentityProviders,
  ProviderRows,
  AcceptedSecrets,
  StoredProviders,
  Logins,
  Bindings,
  Redemption,
  SignOut,
  IdentityLinks,
  Users,
  OwnIdentities,
  OwnSessions,
  Profiles,
  SessionCheck,
  Sessions,
  AccessTokens,
  SigningKeys,
  KeyRotation,
  Reseal,
  UserRoles,
  RolePermissions,
  Roles,
  UserList,
  SessionList,
  LoginList,
  AuditTrail,
  InboxList,
  EventReplay,
  UserMerges,
  LastingBans,
  Clock,
  ClockSync,
  Telemetry,
  HookRunner,
  AuditDelivery,
  Erasure,
  Cleanup,
];
