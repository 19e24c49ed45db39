import type { IamErrorCode } from '../../src/errors/iam.error.js';
import type { Text } from './markdown.js';

/** Part of the table of `error-codes.ts`: errors of the application that asks, and of the token that it brings. */
export const applicationErrors = {
  client_unknown: { en: '`client_id` is not in `clients`', zh: '`client_id` 不在 `clients` 里' },
  redirect_uri_mismatch: {
    en: "`redirect_uri` is not exactly one of the client's",
    zh: '`redirect_uri` 与登记的不完全相同',
  },
  client_disabled: {
    en: 'An administrator has disabled the [application](../guides/applications.md)',
    zh: '管理员停用了这个[应用](../guides/applications.zh-CN.md)',
  },
  unauthorized_client: {
    en: 'The [application](../guides/applications.md) does not have this grant, or not this provider',
    zh: '这个[应用](../guides/applications.zh-CN.md)没有这种授权类型，或不允许这个身份源',
  },
  invalid_client: {
    en: 'The same as `client_unknown`, on `/token`; or the application does not prove itself',
    zh: '同 `client_unknown`，在 `/token` 上；或应用没有证明自己',
  },
  invalid_grant: {
    en: 'Code or refresh token is used, expired, foreign, or the PKCE verifier is wrong',
    zh: 'code 或刷新令牌已用、过期、属于别人，或 PKCE verifier 不对',
  },
  invalid_target: {
    en: '`resource` is not in the option `resources`, or not of the application or its session',
    zh: '`resource` 不在选项 `resources` 里，或不属于该应用或其会话',
  },
  invalid_scope: {
    en: '`scope` names one that we do not know (without `openid`), that the application may not ask for, or that the session has not',
    zh: '`scope` 含有未知的值（没有 `openid` 时）、应用不能申请的值，或会话没有的值',
  },
  unsupported_grant_type: { en: 'Not a grant of ours', zh: '不支持的授权类型' },
  invalid_request_uri: {
    en: '`request_uri` of `/par` is used, expired or of another application',
    zh: '`/par` 的 `request_uri` 已用、过期或属于别的应用',
  },
  unsupported_token_type: {
    en: 'The access token of a service, which no session ends: disable the service, or clear its secret (RFC 7009 §2.2.1)',
    zh: '服务的访问令牌没有可结束的会话：请停用该服务，或清空其密钥（RFC 7009 §2.2.1）',
  },
  unsupported_response_type: { en: 'Only `code`', zh: '只支持 `code`' },
  request_not_supported: {
    en: 'A request object (`request`) instead of parameters (OpenID Connect Core §6)',
    zh: '用请求对象（`request`）代替参数（OpenID Connect Core §6）',
  },
  authentication_required: { en: 'No bearer token', zh: '没有 Bearer 令牌' },
  invalid_token: {
    en: 'The access token is expired, foreign or malformed',
    zh: '访问令牌过期、不是我们的或格式错误',
  },
  session_replaced: {
    en: '`sessions.limit`: a later sign-in has ended the session of this refresh token',
    zh: '`sessions.limit`：之后的一次登录结束了该刷新令牌的会话',
  },
  person_required: {
    en: 'A service or an API key where only a signed-in person may: under `/me`, or on a route of yours that requires no role or permission ([Machines](../guides/machines.md))',
    zh: '只有登录的用户本人才能访问，却来自服务或 API 密钥：在 `/me` 下，或你没有要求角色或权限的路由（[机器](../guides/machines.zh-CN.md)）',
  },
  api_key_limit_reached: {
    en: 'The owner has 100 API keys that work: end one',
    zh: '其所有者已有 100 个有效的 API 密钥：请先停用一个',
  },
  insufficient_permissions: { en: 'Signed in, but not allowed', zh: '已登录，但没有权限' },
  first_party_required: {
    en: 'The access token is of a [third party’s application](../guides/applications.md), which may use neither `/me` nor the administration',
    zh: '访问令牌属于[第三方应用](../guides/applications.zh-CN.md)，它不能使用 `/me` 和管理 API',
  },
  insufficient_scope: {
    en: 'The access token’s scope has no `openid`, for [`/userinfo`](../guides/openid-connect.md)',
    zh: '访问令牌的 scope 中没有 [`/userinfo`](../guides/openid-connect.zh-CN.md) 所需的 `openid`',
  },
  recent_sign_in_required: {
    en: 'The sign-in is older than `recentSignIn`: sign in again (RFC 9470)',
    zh: '登录早于 `recentSignIn`：请重新登录（RFC 9470）',
  },
} as const satisfies Partial<Record<IamErrorCode, Text>>;
