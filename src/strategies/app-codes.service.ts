import { Injectable } from '@nestjs/common';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import { IamError } from '../iam.error.js';
import { AcceptedSecrets } from '../identity-providers/accepted-secrets.service.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import type { WechatApp } from '../wechat/wechat-app.js';

/** The apps that get their code from WeChat by themselves. */
export type AppCodeKind = 'mini' | 'mobile';

/** Such an app, and the row that it stands in. */
export interface CodeApp {
  readonly provider: IdentityProvider;
  readonly app: WechatApp;
}

/** The codes of mini programs (`wx.login`) and mobile apps (Open SDK), and whom they prove. */
@Injectable()
export class AppCodes {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly gateway: WechatGateway,
    private readonly users: Users,
    private readonly accepted: AcceptedSecrets,
  ) {}

  /** @throws IamError `wechat_mini_not_configured`, `wechat_mobile_not_configured`, `provider_not_found`, … */
  async appOf(slug: string, kind: AppCodeKind): Promise<CodeApp> {
    const provider = await this.providers.getEnabled(slug);
    const app = provider[kind];
    if (app === null) throw new IamError(`wechat_${kind}_not_configured`, `"${slug}" has no ${kind} app`);
    return { provider, app };
  }

  /** Exchanges a code, once. A mini program shows no profile (protocol D.2); its session key stays here and is not kept. */
  async exchange({ provider, app }: CodeApp, code: string): Promise<Subject> {
    const { slug, unionScope } = provider;
    const { sns } = this.gateway;
    const known = { provider: slug, appid: app.appid, unionScope };
    if (app.kind === 'mini') {
      const { openid, unionid } = await sns.jscode2session(app, code);
      return { ...known, appKind: 'mini', openid, unionid, profile: null };
    }
    const grant = await sns.exchangeCode(app, code);
    await this.accepted.note(app);
    if (grant.snapshotUser) throw new IamError('snapshot_user', 'virtual ids');
    const subject = { ...known, appKind: 'mobile', openid: grant.openid, unionid: grant.unionid } as const;
    if ((await this.users.find(subject)).profile_is_fresh) return { ...subject, profile: null };
    const profile = await sns.userinfo(grant);
    return { ...subject, unionid: profile.unionid, profile };
  }
}
