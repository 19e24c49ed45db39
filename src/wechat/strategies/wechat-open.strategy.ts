import { openAuthorizeUrl } from '../authorize-url.js';
import { WechatOAuth2Strategy } from './wechat-oauth2.strategy.js';
import type { AuthorizeAsk, WechatStrategyTraits } from './wechat-strategy-kind.js';

const traits: WechatStrategyTraits = {
  kind: 'open',
  name: 'wechat-open',
  authorizePath: '/connect/qrconnect',
  scopes: ['snsapi_login'],
};

/** Passport strategy for an Open Platform website app: a QR code in a PC browser. */
export class WechatOpenStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return traits;
  }

  protected override toWechatUrl({ lang, ...ask }: AuthorizeAsk): string {
    return openAuthorizeUrl({ ...ask, lang: lang === 'en' ? 'en' : undefined });
  }
}
