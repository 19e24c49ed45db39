import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../audit/record-audit.js';
import { inTransaction } from '../database/in-transaction.js';
import { IamLogger } from '../iam-logger.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Logins } from '../logins/logins.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import {
  forgetProfile,
  lockOwner,
  outdateProfile,
  removeIdentity,
  type IdentityKey,
} from '../users/withdraw-data.js';
import { OnWechatEvent } from './on-wechat-event.decorator.js';
import type { WechatEvent, WechatEventContext } from './wechat-events.js';

/** Nickname and avatar by a web page of the Official Account, all of a website or mobile app, nickname and avatar of a mini program. */
const profileRevocations: ReadonlySet<string> = new Set(['205', '301', '6']);

type AuthorizationChange = WechatEvent<'user_authorization_revoke'>;

interface Withdrawal {
  readonly manager: EntityManager;
  readonly userId: string;
  readonly identity: IdentityKey;
}

/** What a person takes back in WeChat's settings is taken back here (protocol F.5). */
@Injectable()
export class AuthorizationChanges {
  private readonly logger = new IamLogger('IamWebhook');

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly logins: Logins,
    private readonly sessions: Sessions,
  ) {}

  /** WeChat has removed a risky nickname or picture. */
  @OnWechatEvent('user_info_modified')
  onProfileModified(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    return this.withOwner(event, context, ({ manager, userId, identity }) =>
      revokesProfile(event) ? forgetProfile(manager, userId, identity) : outdateProfile(manager, identity),
    );
  }

  /** The person has withdrawn an authorization; the account stays. */
  @OnWechatEvent('user_authorization_revoke')
  onRevoked(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    return this.withOwner(event, context, async ({ manager, userId, identity }) => {
      if (revokesProfile(event)) await forgetProfile(manager, userId, identity);
      await this.sessions.endOfIdentity(manager, identity, 'authorization_revoked');
      const detail = { appid: identity.appid, revokeInfo: event.RevokeInfo ?? null };
      const { provider } = context;
      await recordAudit(manager, { action: 'identity.authorization_revoked', userId, provider, detail });
    });
  }

  /** The person has closed the WeChat account: nobody can ever prove this identity again. */
  @OnWechatEvent('user_authorization_cancellation')
  async onAccountClosed(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const closed = await this.findIdentity(event, context);
    if (closed === null) return;
    // First and by itself: a binding token that is being used has connected the identity by then, or is refused.
    await this.logins.endOfIdentity(this.dataSource.manager, closed);
    await this.withOwner(event, context, async ({ manager, userId, identity }) => {
      await forgetProfile(manager, userId, identity);
      await this.sessions.endOfIdentity(manager, identity, 'wechat_account_closed');
      const wasLast = await removeIdentity(manager, identity);
      if (wasLast) await this.sessions.endAll(manager, userId, 'wechat_account_closed');
      const { provider } = context;
      const detail = { appid: identity.appid };
      await recordAudit(manager, { action: 'identity.account_closed', userId, provider, detail });
    });
  }

  /** Runs `work` in a transaction that has locked the identity's user; not at all when nobody here has that identity. */
  private async withOwner(
    event: AuthorizationChange,
    context: WechatEventContext,
    work: (withdrawal: Withdrawal) => Promise<void>,
  ): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    await inTransaction(this.dataSource, async (manager) => {
      const userId = await lockOwner(manager, identity);
      if (userId !== null) await work({ manager, userId, identity });
    });
  }

  /** The identity that an event concerns, when the app is one of the row's. */
  private async findIdentity(
    { OpenID: openid, AppID: named }: AuthorizationChange,
    { provider: slug }: WechatEventContext,
  ): Promise<IdentityKey | null> {
    const { open, mp, mini, mobile } = await this.providers.getEnabled(slug);
    const appid = named ?? mp?.appid;
    const isOfRow = [open, mp, mini, mobile].some((app) => app !== null && app.appid === appid);
    if (openid !== undefined && appid !== undefined && isOfRow) return { appid, openid };
    this.logger.warn(`a change of authorization for "${slug}" names no person or an app of another row`);
    return null;
  }
}

function revokesProfile({ RevokeInfo = '' }: AuthorizationChange): boolean {
  return RevokeInfo.split(/\D+/).some((number) => profileRevocations.has(number));
}
