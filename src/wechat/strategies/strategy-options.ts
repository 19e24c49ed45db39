import type { Request } from 'express';
import type { VerifyCallback, VerifyFunctionWithRequest } from 'passport-oauth2';
import { Secret } from '../../crypto/secret.js';
import type { WechatEndpoints } from '../../config/endpoints.js';
import type { WechatGrant, WechatLanguage, WechatProfile } from '../sns.js';
import { WechatHttp } from '../wechat-http.js';
import { SessionStateStore, checkStateStore, type WechatStateStore } from './state-store.js';

/** Decides whether to spare the call for the profile; the verify callback then gets the ids alone. */
export type SkipUserProfile = boolean | ((grant: WechatGrant) => boolean | Promise<boolean>);

/** What a WeChat strategy is made from. */
export interface WechatStrategyOptions {
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
  /** Other hosts than WeChat's own, for a proxy or the emulator. */
  readonly endpoints?: Partial<WechatEndpoints>;
  /** Lets `endpoints` be this machine, over http too. @default false */
  readonly allowLoopback?: boolean;
  /** Lets `endpoints` be hosts of a private network, over http too. @default false */
  readonly allowPrivateEndpoints?: boolean;
  /** A proxy's URL, or `environment` for HTTPS_PROXY, HTTP_PROXY and NO_PROXY. @default none */
  readonly proxy?: string;
  /** A client to share with other strategies, instead of how to reach WeChat. */
  readonly http?: WechatHttp;
  /** @default false; the profile is always skipped with `snsapi_base`, which does not allow it */
  readonly skipUserProfile?: SkipUserProfile;
  /** Gives the verify callback the request first. @default false */
  readonly passReqToCallback?: boolean;
}

/** Options, complete and checked. */
export interface ResolvedStrategyOptions {
  readonly appid: string;
  readonly secret: Secret;
  readonly callbackURL: string;
  readonly scope: string | undefined;
  readonly lang: WechatLanguage;
  readonly store: WechatStateStore;
  readonly http: WechatHttp;
  readonly skipUserProfile: SkipUserProfile;
  readonly passReqToCallback: boolean;
}

/** Checks the options; a wrong one is a `TypeError` that names it and never shows its value. */
export function resolveStrategyOptions(options: WechatStrategyOptions): ResolvedStrategyOptions {
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

/** WeChat returns to an absolute address; it puts the code before or after a fragment as it likes, so none is allowed. */
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
  /** The clean nickname; empty when WeChat gave none or was not asked. */
  readonly displayName: string;
  readonly photos: readonly { readonly value: string }[];
  /** Whether WeChat was asked for nickname and avatar. */
  readonly loaded: boolean;
  /** Always false: a snapshot user never gets as far as a profile. */
  readonly snapshotUser: false;
}

/** What WeChat granted, as passport-oauth2 hands on the token answer: without the tokens. */
export interface WechatTokenParams {
  readonly openid: string;
  readonly unionid?: string;
  readonly scope: string;
  readonly expires_in: number;
}

/** The profile of a grant, with what userinfo added if it was asked. */
export function toUserProfile(
  appid: string,
  grant: WechatGrant,
  asked: WechatProfile | null,
): WechatUserProfile {
  const unionid = asked?.unionid ?? grant.unionid;
  const avatarUrl = asked?.avatarUrl ?? null;
  return {
    provider: 'wechat',
    id: `${appid}:${grant.openid}`,
    appid,
    openid: grant.openid,
    ...(unionid !== null && { unionid }),
    displayName: asked?.nickname ?? '',
    photos: avatarUrl === null ? [] : [{ value: avatarUrl }],
    loaded: asked !== null,
    snapshotUser: false,
  };
}

/** The token answer for the verify callback's `params`. */
export function toTokenParams({ openid, unionid, scopes, expiresIn }: WechatGrant): WechatTokenParams {
  return { openid, ...(unionid !== null && { unionid }), scope: scopes.join(','), expires_in: expiresIn };
}

/** The verify callback of passport-oauth2, in its four forms. */
export type WechatVerify = (
  accessToken: string,
  refreshToken: string,
  profile: WechatUserProfile,
  done: VerifyCallback,
) => void;

export type WechatVerifyWithParams = (
  accessToken: string,
  refreshToken: string,
  params: WechatTokenParams,
  profile: WechatUserProfile,
  done: VerifyCallback,
) => void;

export type WechatVerifyWithRequest = (
  request: Request,
  accessToken: string,
  refreshToken: string,
  profile: WechatUserProfile,
  done: VerifyCallback,
) => void;

export type WechatVerifyWithRequestAndParams = (
  request: Request,
  accessToken: string,
  refreshToken: string,
  params: WechatTokenParams,
  profile: WechatUserProfile,
  done: VerifyCallback,
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
