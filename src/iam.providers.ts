import { type Provider } from '@nestjs/common';
import { AdminGuard } from './admin/admin.guard.js';
import { KeyAdministration } from './admin/key-administration.service.js';
import { KeysController } from './admin/keys.controller.js';
import { OwnPermissions } from './admin/own-permissions.service.js';
import { AdminPermissionsController } from './admin/permissions.controller.js';
import { ProviderCheck } from './admin/provider-check.service.js';
import { AdminProvidersController } from './admin/providers.controller.js';
import { AdminProviders } from './admin/providers.service.js';
import { WechatCheck } from './admin/wechat-check.service.js';
import { AdminRolesController } from './admin/roles.controller.js';
import { AdminRoles } from './admin/roles.service.js';
import { AdminAuditController } from './admin/audit.controller.js';
import { AdminAudit } from './admin/audit.service.js';
import { AdminEventsController } from './admin/events.controller.js';
import { AdminEvents } from './admin/events.service.js';
import { AdminLoginsController } from './admin/logins.controller.js';
import { AdminLogins } from './admin/logins.service.js';
import { AdminSessionsController } from './admin/sessions.controller.js';
import { AdminSessions } from './admin/sessions.service.js';
import { AdminUserAccessController } from './admin/users-access.controller.js';
import { AdminUserAccess } from './admin/users-access.service.js';
import { AdminUserRemoval } from './admin/users-removal.service.js';
import { AdminUserRoles } from './admin/users-roles.service.js';
import { AdminUsersController } from './admin/users.controller.js';
import { AdminUsers } from './admin/users.service.js';
import { AuditTrail } from './audit/audit-trail.service.js';
import { EventReplay } from './inbox/event-replay.service.js';
import { InboxList } from './inbox/inbox-list.service.js';
import { LoginList } from './logins/login-list.service.js';
import { SessionList } from './sessions/session-list.service.js';
import { UserList } from './users/user-list.service.js';
import { UserMerges } from './users/user-merges.service.js';
import { AccountDeletion } from './account/account-deletion.service.js';
import { AccountExport } from './account/account-export.service.js';
import { IamUsers } from './account/iam-users.service.js';
import { AuditDelivery } from './audit/audit-delivery.service.js';
import { LinkIdentity } from './account/link-identity.service.js';
import { MeController } from './account/me.controller.js';
import { MyIdentitiesController } from './account/my-identities.controller.js';
import { MyIdentities } from './account/my-identities.service.js';
import { MySessionsController } from './account/my-sessions.controller.js';
import { MySessions } from './account/my-sessions.service.js';
import { PhoneNumbers } from './account/phone-numbers.service.js';
import { Cleanup } from './cleanup/cleanup.service.js';
import { Clock } from './clock.js';
import { Confirm } from './follow/confirm.service.js';
import { ConfirmCookies } from './follow/confirm-cookies.service.js';
import { DeviceAuthorizationController } from './follow/device-authorization.controller.js';
import { DeviceAuthorization } from './follow/device-authorization.service.js';
import { FollowCollect } from './follow/follow-collect.service.js';
import { FollowEvents } from './follow/follow-events.service.js';
import { FollowOwnEvents } from './follow/own-events.service.js';
import { FollowProof } from './follow/follow-proof.service.js';
import { FollowSignIn } from './follow/follow-sign-in.service.js';
import { FollowStart } from './follow/follow-start.service.js';
import { FollowTokens } from './follow/follow-tokens.service.js';
import { FollowController } from './follow/follow.controller.js';
import { Follower } from './follow/follower.service.js';
import { Erasure } from './erasure/erasure.service.js';
import { AppHealth } from './gateway/app-health.service.js';
import { WechatApi } from './gateway/wechat-api.service.js';
import { WechatGateway } from './gateway/wechat-gateway.service.js';
import { Gauges } from './health/gauges.service.js';
import { IamHealth } from './health/iam-health.service.js';
import { HookRunner } from './hooks/hook-runner.js';
import { AnswerWriter } from './http/answer-writer.js';
import { Cors } from './http/cors.service.js';
import { EarlyBody } from './http/early-body.service.js';
import { EarlyErrors } from './http/early-errors.service.js';
import { FrontDoor } from './http/front-door.service.js';
import { OAuthErrorFilter, ProblemFilter } from './http/error.filter.js';
import { Authentication } from './http/authentication.service.js';
import { IamErrorFilter } from './http/iam-error.filter.js';
import { IamGuard } from './http/iam.guard.js';
import { Requirements } from './http/requirements.service.js';
import { SessionCookies } from './http/session-cookies.service.js';
import { TrustedOrigins } from './http/trusted-origins.service.js';
import { IamUrls } from './http/iam-urls.service.js';
import { IdentityProviders } from './identity-providers/identity-providers.service.js';
import { ProviderRows } from './identity-providers/provider-rows.service.js';
import { StoredProviders } from './identity-providers/stored-providers.service.js';
import { InboxWorker } from './inbox/inbox-worker.service.js';
import { Inbox } from './inbox/inbox.service.js';
import { Reseal } from './keys/reseal.service.js';
import { FollowLogins } from './logins/follow-logins.service.js';
import { FollowScans } from './logins/follow-scans.service.js';
import { IdentityLinks } from './logins/identity-links.service.js';
import { LoginWatch } from './logins/login-watch.service.js';
import { Logins } from './logins/logins.service.js';
import { Redemption } from './logins/redemption.service.js';
import { AppCodeGrant } from './oauth/app-code-grant.service.js';
import { AttemptCookies } from './oauth/attempt-cookies.service.js';
import { Authorize } from './oauth/authorize.service.js';
import { Callback } from './oauth/callback.service.js';
import { Clients } from './oauth/clients.service.js';
import { LinkController } from './oauth/link.controller.js';
import { LinkStart } from './oauth/link-start.service.js';
import { Metadata } from './oauth/metadata.service.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { ProviderList } from './oauth/provider-list.service.js';
import { Revocation } from './oauth/revocation.service.js';
import { TokenAnswers } from './oauth/token-answers.service.js';
import { TokenController } from './oauth/token.controller.js';
import { Token } from './oauth/token.service.js';
import { RateLimits } from './rate-limits/rate-limits.service.js';
import { RolePermissions } from './roles/role-permissions.service.js';
import { Roles } from './roles/roles.service.js';
import { UserRoles } from './roles/user-roles.service.js';
import { AccessTokens } from './sessions/access-tokens.service.js';
import { SessionCheck } from './sessions/session-check.service.js';
import { KeyRotation } from './sessions/key-rotation.service.js';
import { OwnSessions } from './sessions/own-sessions.service.js';
import { Sessions } from './sessions/sessions.service.js';
import { SigningKeys } from './sessions/signing-keys.service.js';
import { AppCodes } from './strategies/app-codes.service.js';
import { WechatStrategies } from './strategies/wechat-strategies.service.js';
import { OwnIdentities } from './users/own-identities.service.js';
import { Telemetry } from './telemetry/telemetry.service.js';
import { Profiles } from './users/profiles.service.js';
import { USER_MERGE_STEPS } from './users/user-merge-steps.js';
import { AuthorizationChanges } from './webhook/authorization-changes.service.js';
import { EventHandlers } from './webhook/event-handlers.service.js';
import { EventIntake } from './webhook/event-intake.service.js';
import { OWN_EVENTS } from './webhook/own-events.js';
import { PushTime } from './webhook/push-time.service.js';
import { WebhookController } from './webhook/webhook.controller.js';
import { Webhook } from './webhook/webhook.service.js';
import { Users } from './users/users.service.js';

const edges = [
  AppCodeGrant,
  Clients,
  AttemptCookies,
  Authorize,
  Callback,
  LinkStart,
  TokenAnswers,
  Token,
  Revocation,
  Metadata,
  ProviderList,
  IamUsers,
];
const account = [AccountDeletion, AccountExport, LinkIdentity, MyIdentities, MySessions, PhoneNumbers];
const follow = [
  Confirm,
  ConfirmCookies,
  DeviceAuthorization,
  FollowCollect,
  FollowEvents,
  FollowOwnEvents,
  FollowProof,
  FollowSignIn,
  FollowStart,
  FollowTokens,
  Follower,
];
const webhook = [AuthorizationChanges, EventHandlers, EventIntake, PushTime, Webhook];
const admin = [AdminGuard, KeyAdministration, OwnPermissions];
const adminNouns = [
  AdminProviders,
  ProviderCheck,
  WechatCheck,
  AdminRoles,
  AdminUsers,
  AdminUserAccess,
  AdminUserRemoval,
  AdminUserRoles,
  AdminSessions,
  AdminLogins,
  AdminAudit,
  AdminEvents,
];
const lists = [UserList, SessionList, LoginList, AuditTrail, InboxList, EventReplay, UserMerges];
const shared = [
  Authentication,
  Requirements,
  AnswerWriter,
  ProblemFilter,
  IamErrorFilter,
  OAuthErrorFilter,
  EarlyErrors,
  IamUrls,
  IamGuard,
  Cors,
  FrontDoor,
  SessionCookies,
  TrustedOrigins,
  EarlyBody,
  AppHealth,
  Gauges,
  IamHealth,
  WechatApi,
  WechatGateway,
  WechatStrategies,
  AppCodes,
];
const state = [
  Inbox,
  InboxWorker,
  FollowLogins,
  FollowScans,
  LoginWatch,
  RateLimits,
  IdentityProviders,
  ProviderRows,
  StoredProviders,
  Logins,
  Redemption,
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
];
const background = [Clock, Telemetry, HookRunner, AuditDelivery, Erasure, Cleanup];

const ownEvents: Provider = { provide: OWN_EVENTS, useExisting: FollowOwnEvents };

const mergeSteps: Provider = {
  provide: USER_MERGE_STEPS,
  useFactory: (...steps: unknown[]) => steps,
  inject: [UserRoles, Logins, Sessions, HookRunner],
};

/** Every controller of the module. */
export const iamControllers = [
  AdminProvidersController,
  AdminPermissionsController,
  AdminRolesController,
  AdminUsersController,
  AdminUserAccessController,
  AdminSessionsController,
  AdminLoginsController,
  AdminAuditController,
  AdminEventsController,
  OAuthController,
  TokenController,
  DeviceAuthorizationController,
  FollowController,
  LinkController,
  MeController,
  MyIdentitiesController,
  MySessionsController,
  KeysController,
  WebhookController,
];

/** Every provider that needs nothing but the options and the host's DataSource. */
export const iamProviders: Provider[] = [
  mergeSteps,
  ownEvents,
  ...edges,
  ...account,
  ...follow,
  ...webhook,
  ...admin,
  ...adminNouns,
  ...lists,
  ...shared,
  ...state,
  ...background,
];
