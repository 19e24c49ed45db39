import { AccountDeletion } from '../privacy/account-deletion.service.js';
import { AccountExport } from '../privacy/account-export.service.js';
import { IamUsers } from '../account/iam-users.service.js';
import { LinkIdentity } from '../account/link-identity.service.js';
import { MeIdentities } from '../account/me-identities.service.js';
import { MeProfile } from '../account/me-profile.service.js';
import { MeSessions } from '../account/me-sessions.service.js';
import { PhoneNumbers } from '../account/phone-numbers.service.js';
import { ConfirmCookies } from '../follow-login/confirm-cookies.service.js';
import { Confirm } from '../follow-login/confirm.service.js';
import { DeviceAuthorization } from '../follow-login/follow.controller.js';
import { FollowAttempts, FollowLink, FollowSignIn } from '../follow-login/finish.service.js';
import { DeviceCodeGrant, FollowerResolver, FollowProof } from '../follow-login/collect.service.js';
import { FollowEvents } from '../follow-login/login-watch.service.js';
import { FollowStart } from '../follow-login/follow-start.service.js';
import { FollowTokens } from '../follow-login/codes-and-tokens.service.js';
import { FollowEventHandler } from '../follow-login/follow-event.handler.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { Authorize } from '../oauth/authorize.service.js';
import { Callback } from '../oauth/callback.service.js';
import { Clients } from '../oauth/clients.service.js';
import { DevicePage } from '../follow-login/device-page.service.js';
import { MpMethod, OpenMethod } from '../oauth/redirect-methods.js';
import { SignInMethods, TokenGrants } from '../oauth/registration.js';
import {
  AuthorizationCodeGrant,
  MiniProgramGrant,
  MobileAppGrant,
  RefreshTokenGrant,
} from '../oauth/token-grants.js';
import { FollowMethod } from '../follow-login/follow.method.js';
import { Metadata } from '../oauth/metadata.service.js';
import { ProviderList } from '../oauth/provider-list.service.js';
import { Revocation } from '../oauth/revocation.service.js';
import { TokenResponses } from '../oauth/token-responses.service.js';
import { Token } from '../oauth/token.service.js';
import { AuthorizationChanges } from '../webhook/authorization-changes.service.js';
import { EventHandlers } from '../webhook/event-handlers.service.js';
import { EventIntake } from '../webhook/event-intake.service.js';
import { PushTime, Webhook } from '../webhook/webhook.service.js';
import { ConfirmedApps } from '../webhook/confirmed-apps.service.js';

/** OAuth, accounts, follow-to-login and the webhook. */
export const edgeProviders = [
  Clients,
  AttemptCookies,
  Authorize,
  DevicePage,
  Callback,
  SignInMethods,
  OpenMethod,
  MpMethod,
  FollowMethod,
  TokenGrants,
  AuthorizationCodeGrant,
  RefreshTokenGrant,
  MiniProgramGrant,
  MobileAppGrant,
  TokenResponses,
  Token,
  Revocation,
  Metadata,
  ProviderList,
  IamUsers,
  AccountDeletion,
  AccountExport,
  LinkIdentity,
  MeIdentities,
  MeProfile,
  MeSessions,
  PhoneNumbers,
  Confirm,
  ConfirmCookies,
  DeviceAuthorization,
  DeviceCodeGrant,
  FollowEvents,
  FollowEventHandler,
  FollowProof,
  FollowAttempts,
  FollowLink,
  FollowSignIn,
  FollowStart,
  FollowTokens,
  FollowerResolver,
  AuthorizationChanges,
  EventHandlers,
  EventIntake,
  PushTime,
  ConfirmedApps,
  Webhook,
];
