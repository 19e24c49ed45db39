export { iamMigrations } from '../migrations/index.js';
export { IamUsers, type BindingSource, type IamUser, type NewIamUser } from './account/iam-users.service.js';
export {
  WechatApi,
  type WechatApiCall,
  type WechatApiDownload,
  type WechatApiUpload,
  type WechatMiniSession,
  type WechatSessionSignature,
} from './identity-providers/wechat-api.service.js';
export { Authentication } from './sessions/authentication.service.js';
export type {
  AuthenticatedApiKey,
  AuthenticatedPerson,
  AuthenticatedService,
  AuthenticatedUser,
} from './http/authenticated-user.js';
export { HostCurrentUser as CurrentUser } from './http/parameter.decorators.js';
export { IamHealth, type IamHealthReport, type IamProblem } from './health/iam-health.service.js';
export { IamErrorFilter } from './http/iam-error.filter.js';
export { isIamRequest } from './http/raw-http.js';
export { IamGuard } from './sessions/iam.guard.js';
export { IamSockets } from './sessions/iam-sockets.service.js';
export {
  AllowMachines,
  OptionalAuth,
  Public,
  RequirePermissions,
  RequireRecentSignIn,
  RequireRoles,
} from './http/access-policy.decorator.js';
export { Requirements, type Requirement } from './sessions/access-policy.service.js';
export type {
  IamAuditEntry,
  IamAuditSink,
  IamHooks,
  SignIn,
  SignUp,
  MatchedUser,
  SignUpDecision,
} from './config/iam.hooks.js';
export { iamEntities } from './iam.entities.js';
export { errorCatalogue, IamError, type IamErrorCode } from './errors/iam.error.js';
export type { IamAsyncOptions, IamOptionsFactory } from './config/iam.resolved-options.js';
export { IamModule } from './iam.module.js';
export type {
  IamAdminOptions,
  IamAuditOptions,
  IamBrowserSessionOptions,
  IamClient,
  IamResource,
  IamDatabaseOptions,
  IamOptions,
  IamRateLimits,
  IamSessionLimit,
  IamSessionOptions,
  IamStaticOptions,
  IamTokenOptions,
  IamWechatOptions,
} from './config/iam.options.js';
export type { IdentityProviderInput } from './identity-providers/provider-columns.js';
export { IdentityProviders } from './identity-providers/identity-providers.service.js';
export { AccessTokens, type AccessTokenClaims } from './sessions/access-tokens.service.js';
export type { WechatFile } from './wechat/wechat-response.js';
export { runStrategy, type StrategyOutcome } from './wechat/strategies/run-strategy.js';
export { SessionStateStore, type StateMeta, type WechatStateStore } from './wechat/strategies/state-store.js';
export type {
  SkipUserProfile,
  WechatStrategyOptions,
  WechatTokenParams,
  WechatUserProfile,
} from './wechat/strategies/strategy-options.js';
export {
  WechatMpStrategy,
  type WechatAuthenticateOptions,
  WechatOpenStrategy,
} from './wechat/strategies/wechat.strategies.js';
export {
  OnWechatEvent,
  type OnWechatEventOptions,
  type WechatEvent,
  type WechatEventAnswer,
  type WechatEventContext,
  type WechatEventHandler,
  type WechatEventName,
  type WechatEvents,
} from './webhook/on-wechat-event.decorator.js';
export type { PassiveReply } from './webhook/passive-reply.js';
