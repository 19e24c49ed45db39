import type { Request } from 'express';
import type { VerifyCallback, VerifyFunctionWithRequest } from 'passport-oauth2';
import { Secret } from '../../crypto/secret.js';
import type { WechatGrant, WechatLanguage, WechatProfile } from '../sns.js';
import { WechatHttp, type WechatHttpOptions } from '../wechat-http.js';
import { SessionStateStore, checkStateStore, type WechatStateStore } from './state-store.js';

/** True leaves out the call for the profile; the verify callback then gets the ids alone. */
export type SkipUserProfile = boolean | ((grant: WechatGrant) => boolean | Promise<boolean>);

/** Options of a WeChat strategy. */
export interface WechatStrategyOptions extends Pick<
  WechatHttpOptions,
  'endpoints' | 'allowLoopback' | 'allowPrivateEndpoints' | 'proxy'
> {
  readonly appid: string;
  readonly secret: string | Secret;
  /** Absolute, on the host registered with WeChat; without a fragment. */
  readonly callbackURL: string;
  /** `snsapi_login` for a website app; `snsapi_userinfo` (default) or `snsapi_base` for an Official Account. */
  readonly scope?: string;
  /** The language of WeChat's QR page and of the profile. @default 'zh_CN' */
  readonly lang?: WechatLanguage;
  /** Where the states of attempts are kept. @default `SessionStateStore`, which needs `request.session` */
  readonly store?: WechatStateStore;
  /** A client to share with other strategies; the options about endpoints and proxy then have no effect. */
  readonly http?: WechatHttp;
  /** @default false; the profile is always skipped with `snsapi_base`, which does not allow it */
  readonly skipUserProfile?: SkipUserProfile;
  /** Gives the verify callback the request first. @default false */
  readonly passReqToCallback?: boolean;
}

/** Options, complete and checked. */
export type ResolvedStrategyOptions = Readonly<ReturnType<typeof resolveStrategyOptions>>;

/** Checks the options; a wrong one is a `TypeError` that names it and never shows its value. */
export function resolveStrategyOptions(options: WechatStrategyOptions) {
  const { secret, endpoints, allowLoopback, allowPrivateEndpoints, proxy } = options;
  if (typeof options.appid !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(options.appid)) {
    throw new TypeError('appid: expected the appid of the app, e.g. wx0123456789abcdef');
  }
  if (!(secret instanceof Secret) && (typeof secret !== 'string' || secret === '')) {
    throw new TypeError('secret: expected the AppSecret of the app');
  }
  return {
    appid: options.appid,
    secret: secret instanceof Secret ? secret : new Secret(secret),
    callbackURL: checkCallbackURL(options.callbackURL),
    scope: options.scope,
    lang: options.lang ?? 'zh_CN',
    store: checkStateStore(options.store ?? new SessionStateStore()),
    http: options.http ?? new WechatHttp({ endpoints, allowLoopback, allowPrivateEndpoints, proxy }),
    skipUserProfile: options.skipUserProfile ?? false,
    passReqToCallback: options.passReqToCallback ?? false,
  };
}

/** WeChat returns to an absolute URL, and may put the code before or after a fragment: none is allowed. */
export function checkCallbackURL(callbackURL: unknown): string {
  if (
    typeof callbackURL === 'string' &&
    /^https?:\/\/[^#]+$/i.test(callbackURL) &&
    URL.canParse(callbackURL)
  ) {
    return callbackURL;
  }
  throw new TypeError('callbackURL: expected an absolute http(s) URL without a fragment');
}

/** A person in the shape Passport gives profiles. */
export interface WechatUserProfile {
  readonly provider: 'wechat';
  /** `appid:openid`, the one id a person always has; `unionid` joins the ids of several apps. */
  readonly id: string;
  readonly appid: string;
  readonly openid: string;
  readonly unionid?: string;
  /** The clean nickname; empty when WeChat gave none or the profile was not read. */
  readonly displayName: string;
  readonly photos: readonly { readonly value: string }[];
  /** True when nickname and avatar were read from WeChat. */
  readonly loaded: boolean;
  /** Always false: a snapshot user never gets as far as a profile. */
  readonly snapshotUser: false;
}

/** WeChat's token response without the tokens, as passport-oauth2 hands it on. */
export interface WechatTokenParams {
  readonly openid: string;
  readonly unionid?: string;
  readonly scope: string;
  readonly expires_in: number;
}

/** The profile of a grant, with nickname and avatar if userinfo was read. */
export function toUserProfile(
  appid: string,
  grant: WechatGrant,
  read: WechatProfile | null,
): WechatUserProfile {
  const unionid = read?.unionid ?? grant.unionid;
  const avatarUrl = read?.avatarUrl ?? null;
  return {
    provider: 'wechat',
    id: `${appid}:${grant.openid}`,
    appid,
    openid: grant.openid,
    ...(unionid !== null && { unionid }),
    displayName: read?.nickname ?? '',
    photos: avatarUrl === null ? [] : [{ value: avatarUrl }],
    loaded: read !== null,
    snapshotUser: false,
  };
}

/** The token response for the verify callback's `params`. */
export function toTokenParams({ openid, unionid, scopes, expiresIn }: WechatGrant): WechatTokenParams {
  return { openid, ...(unionid !== null && { unionid }), scope: scopes.join(','), expires_in: expiresIn };
}

type Tokens = [accessToken: string, refreshToken: string];
type Outcome = [profile: WechatUserProfile, done: VerifyCallback];

/** The verify callback of passport-oauth2, in its four forms. */
export type WechatVerify = (...given: [...Tokens, ...Outcome]) => void;
export type WechatVerifyWithParams = (...given: [...Tokens, params: WechatTokenParams, ...Outcome]) => void;
export type WechatVerifyWithRequest = (...given: [request: Request, ...Tokens, ...Outcome]) => void;
export type WechatVerifyWithRequestAndParams = (
  ...given: [request: Request, ...Tokens, params: WechatTokenParams, ...Outcome]
) => void;

export type AnyWechatVerify =
  WechatVerify | WechatVerifyWithParams | WechatVerifyWithRequest | WechatVerifyWithRequestAndParams;

/** Calls a verify callback with `params` if it takes one more parameter than it must, as passport-oauth2 decides. */
export function verifyByArity(
  verify: AnyWechatVerify,
  passRequest: boolean,
): VerifyFunctionWithRequest<WechatUserProfile, WechatTokenParams> {
  if (typeof verify !== 'function') throw new TypeError('verify: expected a verify callback');
  // eslint-disable-next-line no-restricted-syntax -- passport-oauth2 counts the parameters
  return (request, accessToken, refreshToken, params, profile, done) => {
    const tokens = passRequest ? [request, accessToken, refreshToken] : [accessToken, refreshToken];
    const takesParams = verify.length === tokens.length + 3;
    Reflect.apply(
      verify,
      undefined,
      takesParams ? [...tokens, params, profile, done] : [...tokens, profile, done],
    );
  };
}
