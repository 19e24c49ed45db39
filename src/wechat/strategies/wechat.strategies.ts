import { openAuthorizeUrl, mpAuthorizeUrl } from '../authorize-url.js';
import {
  WechatOAuth2Strategy,
  type AuthorizeRequest,
  type WechatStrategyTraits,
} from './wechat-oauth2.strategy.js';

/** Passport strategy for an Open Platform website app: a QR code in a PC browser. */
export class WechatOpenStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return {
      kind: 'open',
      name: 'wechat-open',
      authorizePath: '/connect/qrconnect',
      scopes: ['snsapi_login'],
    };
  }

  protected override toWechatUrl({ lang, ...request }: AuthorizeRequest): string {
    return openAuthorizeUrl({ ...request, lang: lang === 'en' ? 'en' : undefined });
  }
}

/** Passport strategy for an Official Account: sign-in inside WeChat. */
export class WechatMpStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return {
      kind: 'mp',
      name: 'wechat-mp',
      authorizePath: '/connect/oauth2/authorize',
      scopes: ['snsapi_userinfo', 'snsapi_base'],
    };
  }

  protected override toWechatUrl({ scope, ...request }: AuthorizeRequest): string {
    return mpAuthorizeUrl({ ...request, scope: scope === 'snsapi_base' ? 'snsapi_base' : 'snsapi_userinfo' });
  }
}
