import { mpAuthorizeUrl } from '../authorize-url.js';
import { WechatOAuth2Strategy } from './wechat-oauth2.strategy.js';
import type { AuthorizeAsk, WechatStrategyTraits } from './wechat-strategy-kind.js';

const traits: WechatStrategyTraits = {
  kind: 'mp',
  name: 'wechat-mp',
  authorizePath: '/connect/oauth2/authorize',
  scopes: ['snsapi_userinfo', 'snsapi_base'],
};

/** Passport strategy for an Official Account: sign-in inside WeChat. */
export class WechatMpStrategy extends WechatOAuth2Strategy {
  protected override traits(): WechatStrategyTraits {
    return traits;
  }

  protected override toWechatUrl({ scope, ...ask }: AuthorizeAsk): string {
    return mpAuthorizeUrl({ ...ask, scope: scope === 'snsapi_base' ? 'snsapi_base' : 'snsapi_userinfo' });
  }
}
