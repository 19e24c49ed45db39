import type { WechatGrant, WechatProfile } from '../sns.js';

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
