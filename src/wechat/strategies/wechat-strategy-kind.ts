import type { WechatLanguage } from '../sns.js';
import type { WechatAppKind } from '../wechat-app.js';

/** What an authorize URL is made from. */
export interface AuthorizeAsk {
  readonly endpoint: string;
  readonly appid: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly scope: string;
  readonly lang: WechatLanguage;
  readonly forcePopup: boolean;
}

/** What differs between the kinds of app. */
export interface WechatStrategyTraits {
  readonly kind: WechatAppKind;
  readonly name: string;
  readonly authorizePath: string;
  /** The allowed scopes, the default first. */
  readonly scopes: readonly [string, ...string[]];
}
