import { Injectable } from '@nestjs/common';
import { toIamError } from '../http/to-iam-error.js';
import { errorCatalogue, IamError } from '../errors/iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { FollowLogin } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { SingleFlight } from '../runtime/single-flight.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';

/** The scanner of a login, and whether they still follow. Who leaves after the confirmation has confirmed all the same. */
export interface ReadFollower {
  readonly subject: Subject;
  readonly follows: boolean;
}

/** Turns the openid of a confirmed scan into a user. */
@Injectable()
export class FollowerResolver {
  private readonly running = new SingleFlight<void>();

  constructor(
    private readonly follows: FollowLogins,
    private readonly gateway: WechatGateway,
    private readonly users: Users,
  ) {}

  /** Resolves the follower of a confirmed login, whose row then says `authenticated`; parallel polls share the work. */
  async identify(login: FollowLogin, provider: IdentityProvider): Promise<void> {
    if (login.status === 'authenticated') return;
    await this.running.run(login.id, () => this.resolveOnce(login, provider));
  }

  /** What this person may not do ends the login; what failed for another reason may be tried again. */
  private async resolveOnce(login: FollowLogin, provider: IdentityProvider): Promise<void> {
    try {
      await this.resolve(login, provider);
    } catch (thrown) {
      const error = toIamError(thrown);
      if (errorCatalogue[error.code].status < 500) await this.follows.fail(login, error.code);
      throw error;
    }
  }

  /** What WeChat knows of the follower: the unionid is in no event, so it is fetched before anything is linked. */
  async read(login: FollowLogin, provider: IdentityProvider): Promise<ReadFollower> {
    const { mp, slug, unionScope } = provider;
    if (mp?.appid !== login.appid)
      throw new IamError('provider_misconfigured', `"${slug}" has another Official Account by now`);
    if (login.openid === null) throw new IamError('internal_error', 'a scanned login has its scanner');
    const { follows, unionid } = await this.gateway.readFollower(mp, login.openid);
    const { appid } = mp;
    const { openid } = login;
    const subject = {
      provider: slug,
      appKind: 'mp',
      appid,
      openid,
      unionScope,
      unionid,
      profile: null,
    } as const;
    return { subject, follows };
  }

  private async resolve(login: FollowLogin, provider: IdentityProvider): Promise<void> {
    const { subject } = await this.read(login, provider);
    await this.users.resolve(subject, {
      signUp: provider.signUp,
      record: (executor, resolution) => this.follows.authenticate(executor, login, { subject, resolution }),
    });
  }
}
