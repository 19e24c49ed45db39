import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../audit/record-audit.js';
import { inTransaction } from '../database/in-transaction.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { forgetProfile, outdateProfile, removeIdentity, type IdentityKey } from '../users/withdraw-data.js';
import { OnWechatEvent } from './on-wechat-event.decorator.js';
import type { WechatEvent, WechatEventContext } from './wechat-events.js';

/** Nickname and avatar by a web page of the Official Account, all of a website or mobile app, nickname and avatar of a mini program. */
const profileRevocations: ReadonlySet<string> = new Set(['205', '301', '6']);

type AuthorizationChange = WechatEvent<'user_authorization_revoke'>;

/** What a person takes back in WeChat's settings is taken back here (protocol F.5). */
@Injectable()
export class AuthorizationChanges {
  private readonly logger = new Logger('IamWebhook');

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly sessions: Sessions,
  ) {}

  /** WeChat has removed a risky nickname or picture. */
  @OnWechatEvent('user_info_modified')
  async onProfileModified(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    if (revokesProfile(event))
      await inTransaction(this.dataSource, (manager) => forgetProfile(manager, identity));
    else await outdateProfile(this.dataSource, identity);
  }

  /** The person has withdrawn an authorization; the account stays. */
  @OnWechatEvent('user_authorization_revoke')
  async onRevoked(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    await inTransaction(this.dataSource, async (manager) => {
      const userId = revokesProfile(event)
        ? await forgetProfile(manager, identity)
        : await outdateProfile(manager, identity);
      await this.endSessions(manager, identity, 'authorization_revoked');
      await this.audit(manager, 'identity.authorization_revoked', { userId, identity, event, context });
    });
  }

  /** The person has closed the WeChat account: nobody can ever prove this identity again. */
  @OnWechatEvent('user_authorization_cancellation')
  async onAccountClosed(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    await inTransaction(this.dataSource, async (manager) => {
      await forgetProfile(manager, identity);
      await this.endSessions(manager, identity, 'wechat_account_closed');
      const removed = await removeIdentity(manager, identity);
      if (removed?.wasLast === true)
        await this.sessions.endAll(manager, removed.userId, 'wechat_account_closed');
      await this.audit(manager, 'identity.account_closed', {
        userId: removed?.userId ?? null,
        identity,
        event,
        context,
      });
    });
  }

  private endSessions(manager: EntityManager, { appid, openid }: IdentityKey, reason: string): Promise<void> {
    return this.sessions.endOfIdentity(manager, appid, openid, reason);
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

  private async audit(
    manager: EntityManager,
    action: string,
    {
      userId,
      identity,
      event,
      context,
    }: {
      userId: string | null;
      identity: IdentityKey;
      event: AuthorizationChange;
      context: WechatEventContext;
    },
  ): Promise<void> {
    if (userId === null) return;
    const detail = { appid: identity.appid, revokeInfo: event.RevokeInfo ?? null };
    await recordAudit(manager, { action, userId, provider: context.provider, detail });
  }
}

function revokesProfile({ RevokeInfo = '' }: AuthorizationChange): boolean {
  return RevokeInfo.split(/\D+/).some((number) => profileRevocations.has(number));
}
