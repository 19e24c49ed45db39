import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../audit/record-audit.js';
import { inTransaction } from '../database/sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { appsOf } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { forgetPhoneNumber } from '../users/change-user.js';
import {
  forgetProfile,
  forgetSessionKey,
  hasPhoneOfAnother,
  lockOwner,
  removeIdentity,
  type IdentityKey,
  type Withdrawal,
} from '../users/identity-data.js';
import { ConfirmedApps } from './confirmed-apps.service.js';
import { OnWechatEvent, type WechatEvent, type WechatEventContext } from './on-wechat-event.decorator.js';

type AuthorizationChange = WechatEvent<'user_authorization_revoke'>;

/** Applies what a person withdraws in WeChat's settings (protocol F.5, part 2 H), as of the time of the event. */
@Injectable()
export class AuthorizationChanges {
  private readonly logger = new IamLogger('IamWebhook');

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly providers: IdentityProviders,
    private readonly apps: ConfirmedApps,
    private readonly signOut: SignOut,
    private readonly telemetry: Telemetry,
  ) {}

  /** WeChat has removed a risky nickname or picture; only a sign-in shows the new one. */
  @OnWechatEvent('user_info_modified')
  async onProfileModified(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    await this.signOut.forgetProfileInLogins(this.dataSource, identity, context.at);
    await this.withOwner(identity, context, (manager, withdrawal) =>
      forgetProfile(manager, withdrawal, 'person'),
    );
  }

  /** The person has withdrawn an authorization; the account stays. Acts by the list alone: see `readRevokeInfo`. */
  @OnWechatEvent('user_authorization_revoke')
  async onRevoked(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    const { at, provider } = context;
    const { revokes, unknown } = readRevokeInfo(event.RevokeInfo);
    if (unknown !== null) this.reportUnknown(`RevokeInfo ${unknown}`, provider);
    // First and by itself: a binding token that is being used has connected the identity by then, or is refused.
    if (revokes.has('everything')) await this.signOut.ofLogins(this.dataSource, identity, at);
    if (revokes.has('profile')) await this.signOut.forgetProfileInLogins(this.dataSource, identity, at);
    if (revokes.has('phone')) await this.signOut.forgetPhoneInLogins(this.dataSource, identity, at);
    await this.withOwner(identity, context, async (manager, withdrawal) => {
      const { userId } = withdrawal;
      const detail = { appid: identity.appid, revokeInfo: event.RevokeInfo ?? null };
      // It opens what the app was allowed to read of the person.
      if (revokes.size > 0) await forgetSessionKey(manager, withdrawal);
      if (revokes.has('profile')) await forgetProfile(manager, withdrawal);
      if (revokes.has('phone'))
        await forgetPhoneNumber(manager, userId, {
          of: { verifiedBefore: at, appid: identity.appid },
          provider,
          detail,
        });
      if (revokes.has('everything'))
        await this.signOut.ofIdentity(manager, identity, {
          reason: 'authorization_revoked',
          provenBefore: at,
        });
      await recordAudit(manager, { action: 'identity.authorization_revoked', userId, provider, detail });
    });
  }

  /** The person has closed the WeChat account: the identity goes, unless a sign-in has proven it since. */
  @OnWechatEvent('user_authorization_cancellation')
  async onAccountClosed(event: AuthorizationChange, context: WechatEventContext): Promise<void> {
    const identity = await this.findIdentity(event, context);
    if (identity === null) return;
    await this.signOut.ofLogins(this.dataSource, identity, context.at);
    await this.withOwner(identity, context, async (manager, withdrawal) => {
      const { at } = withdrawal;
      const reason = 'wechat_account_closed';
      await forgetProfile(manager, withdrawal);
      await this.signOut.ofIdentity(manager, identity, { reason, provenBefore: at });
      if (await this.signOut.isProvenSince(manager, withdrawal))
        this.logger.warn(
          `"${context.provider}": an account of ${identity.appid} was used for a sign-in after it was closed`,
        );
      else await this.remove(manager, withdrawal, context);
    });
  }

  private async remove(
    manager: EntityManager,
    withdrawal: Withdrawal,
    { provider }: WechatEventContext,
  ): Promise<void> {
    const { userId, identity, at } = withdrawal;
    const detail = { appid: identity.appid };
    if (!(await hasPhoneOfAnother(manager, withdrawal, 'person')))
      await forgetPhoneNumber(manager, userId, { of: { verifiedBefore: at }, provider, detail });
    if (await removeIdentity(manager, identity))
      await this.signOut.shutOut(manager, userId, 'wechat_account_closed');
    await recordAudit(manager, { action: 'identity.account_closed', userId, provider, detail });
  }

  /** Runs `work` in a transaction that has locked the identity's user; does nothing for an unknown identity. */
  private async withOwner(
    identity: IdentityKey,
    { at }: WechatEventContext,
    work: (manager: EntityManager, withdrawal: Withdrawal) => Promise<void>,
  ): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      const userId = await lockOwner(manager, identity);
      if (userId !== null) await work(manager, { userId, identity, at });
    });
  }

  /**
   * The identity that an event concerns, when the app is one of the row's, and confirmed: the row may have other apps by the time
   * of a retry or replay. WeChat's own samples have blanks around values.
   */
  private async findIdentity(
    event: AuthorizationChange,
    { provider: slug }: WechatEventContext,
  ): Promise<IdentityKey | null> {
    const provider = await this.providers.get(slug);
    const openid = event.OpenID?.trim() ?? '';
    const appid = event.AppID?.trim();
    if (openid !== '' && appid !== undefined && appsOf(provider).some((app) => app.appid === appid)) {
      await this.apps.require(provider, appid);
      return { appid, openid };
    }
    this.reportUnknown('no person, or an app of another row', slug);
    return null;
  }

  private reportUnknown(what: string, provider: string): void {
    this.telemetry.unknownWithdrawal(provider);
    this.logger.warn(`"${provider}": a change of authorization names ${what}: it has no effect`);
  }
}

/** The effects of a withdrawal. `everything`: all permissions of the app, signing in too. */
type Revoked = 'everything' | 'profile' | 'phone';

/**
 * The values of mini programs (1 to 20), of web pages of Official Accounts (from 201), of website and mobile apps (301):
 * protocol part 2, H.2. Most are permissions of which we hold nothing, such as location, microphone and albums.
 */
const values: ReadonlyMap<string, readonly Revoked[]> = new Map<string, readonly Revoked[]>([
  ...['1', '2', '3', '4', '5', '7', '12', '13', '14', '15', '16', '18'].map((value) => [value, []] as const),
  ...['201', '202', '203', '204', '206', '207'].map((value) => [value, []] as const),
  ...['6', '19', '20', '205'].map((value) => [value, ['profile']] as const),
  ['8', ['phone']],
  ['301', ['everything', 'profile']],
]);

const MAX_LOGGED = 100;

/**
 * Reads the list, with any separators. `unknown`: the values that no list of WeChat's has, for the log, or null; an empty list
 * is unknown as well.
 */
function readRevokeInfo(text = '') {
  const listed = text.split(/[\s,;|]+/).filter((value) => value !== '');
  const unknown = listed.filter((value) => !values.has(value)).join(' ');
  const revokes = new Set(listed.flatMap((value) => values.get(value) ?? []));
  if (listed.length === 0) return { revokes, unknown: '(none)' };
  return { revokes, unknown: unknown === '' ? null : unknown.slice(0, MAX_LOGGED) };
}
