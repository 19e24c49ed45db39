import type { Secret } from '../crypto/secret.js';
import type { WechatApp } from '../wechat/wechat-call.js';

/** What happens to a person not seen before: a user is made, an account of the host is connected, or nothing. */
export type SignUpPolicy = 'auto' | 'bind' | 'off';

/** How the Official Account's server configuration delivers messages. */
export interface MpServer {
  readonly mode: 'safe' | 'compatible' | 'plain';
  /** The current Token first; the previous one keeps working while it is being changed. */
  readonly tokens: readonly Secret[];
  /** The current EncodingAESKey first. */
  readonly encodingAesKeys: readonly Secret[];
}

/** Which pair of AppID and AppSecret WeChat has confirmed, by kind of app, and since when in milliseconds. */
export type Confirmations = Readonly<
  Partial<Record<WechatApp['kind'], { readonly pair: string; readonly at: number } | undefined>>
>;

/** An `iam.identity_providers` row as the code reads it: secrets opened, defaults filled in. */
export interface IdentityProvider {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly signUp: SignUpPolicy;
  /** Open Platform website app; null when the pair is not complete. */
  readonly open: WechatApp | null;
  /** Official Account; null when the pair is not complete. */
  readonly mp: WechatApp | null;
  readonly mini: WechatApp | null;
  readonly mobile: WechatApp | null;
  readonly mpScope: 'snsapi_userinfo' | 'snsapi_base';
  readonly mpServer: MpServer;
  readonly qr: {
    readonly enabled: boolean;
    readonly loginWith: 'mp' | 'open';
    readonly confirmation: 'tap' | 'number' | 'none';
  };
  readonly confirmations: Confirmations;
  /** Rows with the same value share unionids. */
  readonly unionScope: string;
}

/** The apps of a row whose pair is complete, the Official Account first: what a push that names no app is for. */
export function appsOf({ mp, open, mini, mobile }: IdentityProvider): WechatApp[] {
  return [mp, open, mini, mobile].filter((app) => app !== null);
}
