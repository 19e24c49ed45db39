import { AuditDelivery } from '../audit/audit-delivery.service.js';
import { AuditTrail } from '../audit/audit-trail.service.js';
import { Cleanup } from '../privacy/cleanup.service.js';
import { Clock } from '../runtime/clock.js';
import { ClockSync } from '../database/clock-sync.service.js';
import { Erasure } from '../privacy/erasure.service.js';
import { HookRunner } from '../database/hook-runner.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { AcceptedSecrets } from '../identity-providers/confirmations.service.js';
import { ProviderRows } from '../identity-providers/provider-rows.service.js';
import { StoredProviders } from '../identity-providers/stored-providers.service.js';
import { EventReplay, InboxList } from '../webhook/inbox/stored-events.service.js';
import { InboxWorker } from '../webhook/inbox/inbox-worker.service.js';
import { Inbox } from '../webhook/inbox/inbox.service.js';
import { Reencryption } from '../keys/reencryption.service.js';
import { Bindings } from '../sign-in/identity-links.service.js';
import { FollowLogins } from '../follow-login/follow-logins.service.js';
import { FollowScans } from '../follow-login/follow-scans.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { LoginList } from '../sign-in/login-list.service.js';
import { LoginWatch } from '../follow-login/login-watch.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { Redemption } from '../sign-in/redemption.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { QrBudget } from '../follow-login/qr-budget.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { UserCodes } from '../follow-login/codes-and-tokens.service.js';
import { LoginDecisions } from '../follow-login/login-decisions.service.js';
import { Scenes } from '../webhook/inbox-event.js';
import { RateLimits } from '../database/rate-limits.service.js';
import { RolePermissions } from '../roles/role-permissions.service.js';
import { Roles } from '../roles/roles.service.js';
import { UserRoles } from '../roles/user-roles.service.js';
import { AccessTokens } from '../sessions/access-tokens.service.js';
import { KeyRotation } from '../sessions/key-rotation.service.js';
import { UserSessions } from '../sessions/user-sessions.service.js';
import { SessionCheck } from '../sessions/session-check.service.js';
import { SessionList } from '../sessions/session-list.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { SigningKeys } from '../sessions/signing-keys.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { LastingBans } from '../users/lasting-bans.service.js';
import { UserIdentities } from '../users/user-identities.service.js';
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
  LoginDecisions,
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
  UserIdentities,
  UserSessions,
  Profiles,
  SessionCheck,
  Sessions,
  AccessTokens,
  SigningKeys,
  KeyRotation,
  Reencryption,
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
