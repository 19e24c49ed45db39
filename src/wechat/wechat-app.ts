import type { Secret } from '../crypto/secret.js';

/** The four kinds of account a person can sign in through: website, Official Account, mini program, mobile app. */
export type WechatAppKind = 'open' | 'mp' | 'mini' | 'mobile';

/** One appid with its secret: what every call on behalf of an app needs. */
export interface WechatApp {
  readonly kind: WechatAppKind;
  readonly appid: string;
  readonly secret: Secret;
}
