import type { Request } from 'express';
import type { VerifyCallback, VerifyFunctionWithRequest } from 'passport-oauth2';
import type { WechatTokenParams, WechatUserProfile } from './wechat-user-profile.js';

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
