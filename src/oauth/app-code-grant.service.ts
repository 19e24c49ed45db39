import { Injectable } from '@nestjs/common';
import type { RequestOrigin } from '../audit/record-audit.js';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import { toIamError } from '../http/to-iam-error.js';
import { IamError } from '../iam.error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { LoginStart } from '../logins/login-start.js';
import { Logins } from '../logins/logins.service.js';
import { Redemption, type BegunSession } from '../logins/redemption.service.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import type { WechatApp } from '../wechat/wechat-app.js';

/** A code that WeChat gave to a mini program (`wx.login`) or a mobile app (Open SDK), and who hands it in. */
export interface AppCode {
  readonly kind: 'mini' | 'mobile';
  readonly provider: string;
  readonly clientId: string;
  readonly code: string;
}

/** The extension grants of mini programs and mobile apps: same claim, resolution, policy and session as every other way. */
@Injectable()
export class AppCodeGrant {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly gateway: WechatGateway,
    private readonly logins: Logins,
    private readonly users: Users,
    private readonly redemption: Redemption,
  ) {}

  /** @throws IamError `wechat_mini_not_configured`, `wechat_mobile_not_configured`, `code_already_used`, a `wechat_…` code, … */
  async grant(
    { kind, provider: slug, clientId, code }: AppCode,
    origin: RequestOrigin,
  ): Promise<BegunSession> {
    const provider = await this.providers.getEnabled(slug);
    const app = provider[kind];
    if (app === null) throw new IamError(`wechat_${kind}_not_configured`, `"${slug}" has no ${kind} app`);
    const start: LoginStart = { provider: slug, method: kind, appid: app.appid, clientId };
    const loginId = await this.logins.claimAppCode(start, code, origin);
    if (loginId === null) throw new IamError('code_already_used', 'this code was handed in before');
    await this.signIn({ loginId, start, provider, app, code }, origin);
    return this.redemption.redeemProven(loginId, origin);
  }

  private async signIn(
    { loginId, start, provider, app, code }: ClaimedCode,
    origin: RequestOrigin,
  ): Promise<void> {
    try {
      const subject = await this.prove(provider, app, code);
      await this.users.resolve(subject, {
        signUp: provider.signUp,
        record: (executor, resolution) =>
          this.logins.authenticate(executor, loginId, { subject, resolution, attempt: start, origin }),
      });
    } catch (thrown) {
      const error = toIamError(thrown);
      await this.logins.fail(loginId, error.code, start, origin);
      throw error;
    }
  }

  /** A mini program shows no profile (protocol D.2); its session key stays here and is not kept. */
  private async prove(provider: IdentityProvider, app: WechatApp, code: string): Promise<Subject> {
    const { slug, unionScope } = provider;
    const { sns } = this.gateway;
    const known = { provider: slug, appid: app.appid, unionScope };
    if (app.kind === 'mini') {
      const { openid, unionid } = await sns.jscode2session(app, code);
      return { ...known, appKind: 'mini', openid, unionid, profile: null };
    }
    const grant = await sns.exchangeCode(app, code);
    if (grant.snapshotUser) throw new IamError('snapshot_user', 'virtual ids');
    const subject = { ...known, appKind: 'mobile', openid: grant.openid, unionid: grant.unionid } as const;
    if ((await this.users.find(subject)).profile_is_fresh) return { ...subject, profile: null };
    const profile = await sns.userinfo(grant);
    return { ...subject, unionid: profile.unionid, profile };
  }
}

/** A code that only this request may exchange. */
interface ClaimedCode {
  readonly loginId: string;
  readonly start: LoginStart;
  readonly provider: IdentityProvider;
  readonly app: WechatApp;
  readonly code: string;
}
