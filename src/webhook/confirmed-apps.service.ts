import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { sha256 } from '../crypto/hash.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import {
  AcceptedSecrets,
  confirmedSince,
  confirmPair,
  isAskable,
} from '../identity-providers/confirmations.service.js';
import { appsOf, type IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { haveRivalKeys } from '../identity-providers/row-changes.js';
import { SingleFlight } from '../runtime/single-flight.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { WechatError } from '../wechat/wechat-error.js';
import { forged } from './verify-push.js';

/** Pause before the next call about a pair that WeChat refused, and about one for which the call failed. */
const REFUSED_MS = 60_000;
const UNAVAILABLE_MS = 2_000;

interface Refusal {
  readonly error: IamError;
  /** By `Clock.elapsed`. */
  readonly until: number;
}

/**
 * Decides whose pushes a row may take: those of apps whose AppSecret it holds. A Token alone proves nothing, because the row's
 * administrator chose it.
 */
@Injectable()
export class ConfirmedApps {
  private readonly logger = new IamLogger('IamWebhook');
  private readonly confirming = new SingleFlight<number>();
  private readonly refusals = new Map<string, Refusal>();

  constructor(
    private readonly providers: IdentityProviders,
    private readonly accepted: AcceptedSecrets,
    private readonly gateway: WechatGateway,
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /**
   * Confirms a pair at WeChat when a push first needs it. For an app without a call that confirms it, a sign-in must have.
   * @throws IamError `webhook_signature_invalid` for another account's app, `wechat_unavailable` when that cannot be known now
   */
  async require(provider: IdentityProvider, appid: string): Promise<void> {
    const app = appsOf(provider).find((candidate) => candidate.appid === appid);
    if (app === undefined) return;
    if (!isAskable(app) && !(await this.accepted.isAccepted(app)))
      throw forged(
        `WeChat has not exchanged a code of ${appid} with this AppSecret yet, or has with a later one`,
      );
    const since =
      confirmedSince(provider, app) ??
      (await (isAskable(app) ? this.confirm(provider, app) : this.note(provider, app)));
    const rivals = (await this.providers.list()).filter(
      (other) => other.id !== provider.id && haveRivalKeys(provider, other, appid),
    );
    for (const rival of rivals) {
      const before = earliest(rival, appid);
      if (before < since || (before === since && rival.slug < provider.slug))
        throw forged(`"${provider.slug}" has other keys for ${appid} than "${rival.slug}", confirmed before`);
    }
  }

  private async confirm(provider: IdentityProvider, app: WechatApp): Promise<number> {
    const key = sha256([provider.id, app.kind, app.appid, app.secret.reveal()].join(' '));
    const refusal = this.refusals.get(key);
    if (refusal !== undefined && this.clock.elapsed() < refusal.until) throw refusal.error;
    return this.confirming.run(key, () => this.fetchToken(provider, app, key));
  }

  private async fetchToken(provider: IdentityProvider, app: WechatApp, key: string): Promise<number> {
    try {
      await this.gateway.baseTokens.get(app);
    } catch (cause) {
      if (!(cause instanceof WechatError)) throw cause;
      const reason = `"${provider.slug}": no push is taken for ${app.appid} before WeChat confirms its AppSecret: ${cause.message}`;
      const isWrong = cause.code === 'wechat_credentials_rejected';
      const error = isWrong
        ? forged(reason, cause)
        : new IamError('wechat_unavailable', reason, { cause, retryAfterSeconds: UNAVAILABLE_MS / 1000 });
      this.logger.error(reason);
      const pause = isWrong ? REFUSED_MS : UNAVAILABLE_MS;
      this.refusals.set(key, { error, until: this.clock.elapsed() + pause });
      throw error;
    }
    this.refusals.delete(key);
    return this.note(provider, app);
  }

  /** The time of the first confirmation decides between rows with different keys. */
  private async note(provider: IdentityProvider, app: WechatApp): Promise<number> {
    const since = await confirmPair(this.dataSource, provider.id, app);
    this.providers.forget();
    return since;
  }
}

/** The first confirmation of a row's pair with this AppID; Infinity without one. */
function earliest(row: IdentityProvider, appid: string): number {
  const times = appsOf(row)
    .filter((app) => app.appid === appid)
    .map((app) => confirmedSince(row, app) ?? Infinity);
  return Math.min(...times);
}
