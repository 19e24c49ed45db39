import { mpAuthorizeUrl } from '../wechat/authorize-url.js';
import {
  type AuthorizeAsk,
  WechatOAuth2Strategy,
  type WechatStrategyTraits,
} from './wechat-oauth2.strategy.js';

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

  protected override authorizeUrl({ scope, ...ask }: AuthorizeAsk): string {
    return mpAuthorizeUrl({ ...ask, scope: scope === 'snsapi_base' ? 'snsapi_base' : 'snsapi_userinfo' });
  }
}
