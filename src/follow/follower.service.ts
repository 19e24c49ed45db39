import { Injectable } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { FollowLogin } from '../logins/follow-login.js';
import { FollowLogins } from '../logins/follow-logins.service.js';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';

/** Turns the openid of a confirmed scan into a user. */
@Injectable()
export class Follower {
  private readonly running = new Map<string, Promise<void>>();

  constructor(
    private readonly follows: FollowLogins,
    private readonly gateway: WechatGateway,
    private readonly users: Users,
  ) {}

  /** Resolves the follower of a confirmed login, whose row then says `authenticated`; parallel polls share the work. */
  async identify(login: FollowLogin, provider: IdentityProvider): Promise<void> {
    if (login.status === 'authenticated') return;
    const running =
      this.running.get(login.id) ??
      this.resolve(login, provider).finally(() => this.running.delete(login.id));
    this.running.set(login.id, running);
    await running;
  }

  /** What WeChat knows of the follower: the unionid is in no event, so it is fetched before anything is linked. */
  async subjectOf(login: FollowLogin, provider: IdentityProvider): Promise<Subject> {
    const { mp, slug, unionScope } = provider;
    if (mp?.appid !== login.appid)
      throw new IamError('provider_misconfigured', `"${slug}" has another Official Account by now`);
    if (login.openid === null) throw new IamError('internal_error', 'a scanned login has its scanner');
    const { unionid } = await this.gateway.readFollower(mp, login.openid);
    return {
      provider: slug,
      appKind: 'mp',
      appid: mp.appid,
      openid: login.openid,
      unionScope,
      unionid,
      profile: null,
    };
  }

  private async resolve(login: FollowLogin, provider: IdentityProvider): Promise<void> {
    const subject = await this.subjectOf(login, provider);
    await this.users.resolve(subject, {
      signUp: provider.signUp,
      record: (executor, resolution) => this.follows.authenticate(executor, login, { subject, resolution }),
    });
  }
}
