import { Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamError } from '../iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { Attempt } from '../logins/sealed-attempt.js';
import type { SubjectHolder } from '../users/find-subject.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { mpAuthorizeUrl, openAuthorizeUrl } from '../wechat/authorize-url.js';
import { WechatGateway } from './wechat-gateway.service.js';

@Injectable()
export class WechatStrategies {
  constructor(
    private readonly gateway: WechatGateway,
    private readonly urls: IamUrls,
    private readonly users: Users,
  ) {}

  async authorizeUrl(provider: IdentityProvider, attempt: Attempt): Promise<string> {
    const input = {
      endpoint: this.gateway.http.endpoints.open,
      appid: attempt.appid,
      redirectUri: this.urls.callback(provider.slug),
      state: attempt.state,
    };
    return attempt.method === 'open' ? openAuthorizeUrl(input) : mpAuthorizeUrl({ ...input, scope: provider.mpScope });
  }

  async exchange(
    provider: IdentityProvider,
    attempt: Attempt,
    query: Readonly<Record<string, string | string[]>>,
  ): Promise<{ subject: Subject; holder: SubjectHolder }> {
    const app = provider[attempt.method];
    if (app?.appid !== attempt.appid) throw new IamError('provider_misconfigured', 'the app changed');
    const grant = await this.gateway.sns.exchangeCode(app, String(query['code']));
    if (grant.snapshotUser) throw new IamError('snapshot_user', 'virtual account');
    const base = { appid: app.appid, openid: grant.openid, unionScope: provider.unionScope, unionid: grant.unionid };
    let holder = await this.users.find(base);
    const skip = holder.profile_is_fresh || (attempt.method === 'mp' && provider.mpScope === 'snsapi_base');
    const profile = skip ? null : await this.gateway.sns.userinfo(grant);
    const unionid = profile?.unionid ?? grant.unionid;
    if (unionid !== grant.unionid) holder = await this.users.find({ ...base, unionid });
    return { subject: { ...base, unionid, provider: provider.slug, appKind: app.kind, profile }, holder };
  }
}
