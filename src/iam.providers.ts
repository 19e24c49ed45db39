import { type Provider } from '@nestjs/common';
import { AdminGuard } from './admin/admin.guard.js';
import { OwnPermissions } from './admin/own-permissions.service.js';
import { IamUsers } from './account/iam-users.service.js';
import { MeController } from './account/me.controller.js';
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
import { WechatApi } from './gateway/wechat-api.service.js';
import { WechatGateway } from './gateway/wechat-gateway.service.js';
import { HookRunner } from './hooks/hook-runner.js';
import { AnswerWriter } from './http/answer-writer.js';
import { EarlyBody } from './http/early-body.service.js';
import { EarlyErrors } from './http/early-errors.service.js';
import { OAuthErrorFilter, ProblemFilter } from './http/error.filter.js';
import { Authentication } from './http/authentication.service.js';
import { IamGuard } from './http/iam.guard.js';
import { Requirements } from './http/requirements.service.js';
import { IamUrls } from './http/iam-urls.service.js';
import { IdentityProviders } from './identity-providers/identity-providers.service.js';
import { ProviderRows } from './identity-providers/provider-rows.service.js';
import { InboxWorker } from './inbox/inbox-worker.service.js';
import { Inbox } from './inbox/inbox.service.js';
import { FollowLogins } from './logins/follow-logins.service.js';
import { FollowScans } from './logins/follow-scans.service.js';
import { LoginWatch } from './logins/login-watch.service.js';
import { Logins } from './logins/logins.service.js';
import { Redemption } from './logins/redemption.service.js';
import { AppCodeGrant } from './oauth/app-code-grant.service.js';
import { AttemptCookies } from './oauth/attempt-cookies.service.js';
import { Authorize } from './oauth/authorize.service.js';
import { Callback } from './oauth/callback.service.js';
import { Clients } from './oauth/clients.service.js';
import { Metadata } from './oauth/metadata.service.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { ProviderList } from './oauth/provider-list.service.js';
import { Revocation } from './oauth/revocation.service.js';
import { TokenController } from './oauth/token.controller.js';
import { Token } from './oauth/token.service.js';
import { RateLimits } from './rate-limits/rate-limits.service.js';
import { RolePermissions } from './roles/role-permissions.service.js';
import { UserRoles } from './roles/user-roles.service.js';
import { AccessTokens } from './sessions/access-tokens.service.js';
import { SessionCheck } from './sessions/session-check.service.js';
import { Sessions } from './sessions/sessions.service.js';
import { SigningKeys } from './sessions/signing-keys.service.js';
import { WechatStrategies } from './strategies/wechat-strategies.service.js';
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
  Token,
  Revocation,
  Metadata,
  ProviderList,
  IamUsers,
];
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
const admin = [AdminGuard, OwnPermissions];
const shared = [
  Authentication,
  Requirements,
  AnswerWriter,
  ProblemFilter,
  OAuthErrorFilter,
  EarlyErrors,
  IamUrls,
  IamGuard,
  EarlyBody,
  WechatApi,
  WechatGateway,
  WechatStrategies,
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
  Logins,
  Redemption,
  Users,
  Profiles,
  SessionCheck,
  Sessions,
  AccessTokens,
  SigningKeys,
  UserRoles,
  RolePermissions,
];
const background = [Clock, HookRunner, Erasure, Cleanup];

const ownEvents: Provider = { provide: OWN_EVENTS, useExisting: FollowOwnEvents };

const mergeSteps: Provider = {
  provide: USER_MERGE_STEPS,
  useFactory: (...steps: unknown[]) => steps,
  inject: [UserRoles, Logins, Sessions, HookRunner],
};

/** Every controller of the module. */
export const iamControllers = [
  OAuthController,
  TokenController,
  DeviceAuthorizationController,
  FollowController,
  MeController,
  WebhookController,
];

/** Every provider that needs nothing but the options and the host's DataSource. */
export const iamProviders: Provider[] = [
  mergeSteps,
  ownEvents,
  ...edges,
  ...follow,
  ...webhook,
  ...admin,
  ...shared,
  ...state,
  ...background,
];
