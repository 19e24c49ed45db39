import { openAuthorizeUrl, mpAuthorizeUrl } from '../authorize-url.js';
import {
  WechatOAuth2Strategy,
  type AuthorizeAsk,
  type WechatStrategyTraits,
} from './wechat-oauth2.strategy.js';

const openTraits: WechatStrategyTraits = {
  kind: 'open',
  name: 'wechat-open',
  authorizePath: '/connect/qrconnect',
  scopes: ['snsapi_login'],
};

/** Passport strategy for an Open Platform website app: a QR code in a PC browser. */
export class WechatOpenStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return openTraits;
  }

  protected override toWechatUrl({ lang, ...ask }: AuthorizeAsk): string {
    return openAuthorizeUrl({ ...ask, lang: lang === 'en' ? 'en' : undefined });
  }
}

const mpTraits: WechatStrategyTraits = {
  kind: 'mp',
  name: 'wechat-mp',
  authorizePath: '/connect/oauth2/authorize',
  scopes: ['snsapi_userinfo', 'snsapi_base'],
};

/** Passport strategy for an Official Account: sign-in inside WeChat. */
export class WechatMpStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return mpTraits;
  }

  protected override toWechatUrl({ scope, ...ask }: AuthorizeAsk): string {
    return mpAuthorizeUrl({ ...ask, scope: scope === 'snsapi_base' ? 'snsapi_base' : 'snsapi_userinfo' });
  }
}
