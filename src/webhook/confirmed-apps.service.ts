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

/** How long WeChat is not asked again about a pair that it refused, and about one that it could not be asked about. */
const REFUSED_MS = 60_000;
const UNASKED_MS = 2_000;

interface Refusal {
  readonly error: IamError;
  /** By `Clock.elapsed`. */
  readonly until: number;
}

/**
 * Whose pushes a row may take: those of apps whose AppSecret it holds. A Token alone proves nothing, because the row's own
 * administrator chose it.
 */
@Injectable()
export class ConfirmedApps {
  private readonly logger = new IamLogger('IamWebhook');
  private readonly asking = new SingleFlight<number>();
  private readonly refusals = new Map<string, Refusal>();

  constructor(
    private readonly providers: IdentityProviders,
    private readonly accepted: AcceptedSecrets,
    private readonly gateway: WechatGateway,
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /**
   * Asks WeChat about a pair when a push first needs it; of an app that it cannot be asked about, a sign-in must have shown it.
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
      (await (isAskable(app) ? this.ask(provider, app) : this.note(provider, app)));
    const rivals = (await this.providers.list()).filter(
      (other) => other.id !== provider.id && haveRivalKeys(provider, other, appid),
    );
    for (const rival of rivals) {
      const before = earliest(rival, appid);
      if (before < since || (before === since && rival.slug < provider.slug))
        throw forged(`"${provider.slug}" has other keys for ${appid} than "${rival.slug}", confirmed before`);
    }
  }

  private async ask(provider: IdentityProvider, app: WechatApp): Promise<number> {
    const key = sha256([provider.id, app.kind, app.appid, app.secret.reveal()].join(' '));
    const refusal = this.refusals.get(key);
    if (refusal !== undefined && this.clock.elapsed() < refusal.until) throw refusal.error;
    return this.asking.run(key, () => this.confirm(provider, app, key));
  }

  private async confirm(provider: IdentityProvider, app: WechatApp, key: string): Promise<number> {
    try {
      await this.gateway.baseTokens.get(app);
      this.refusals.delete(key);
    } catch (cause) {
      throw this.refuse(provider, app, { key, cause });
    }
    return this.note(provider, app);
  }

  /** Since when the row holds the pair decides between rows with other keys. */
  private async note(provider: IdentityProvider, app: WechatApp): Promise<number> {
    const since = await confirmPair(this.dataSource, provider.id, app);
    this.providers.forget();
    return since;
  }

  private refuse(
    { slug }: IdentityProvider,
    { appid }: WechatApp,
    { key, cause }: { readonly key: string; readonly cause: unknown },
  ): unknown {
    if (!(cause instanceof WechatError)) return cause;
    const isWrong = cause.code === 'wechat_credentials_rejected';
    const reason = `"${slug}": no push is taken for ${appid} before WeChat confirms its AppSecret: ${cause.message}`;
    const error = isWrong
      ? forged(reason, cause)
      : new IamError('wechat_unavailable', reason, { cause, retryAfterSeconds: UNASKED_MS / 1000 });
    this.logger.error(reason);
    this.refusals.set(key, { error, until: this.clock.elapsed() + (isWrong ? REFUSED_MS : UNASKED_MS) });
    return error;
  }
}

/** When a row's pair with this AppID was confirmed first; never for one that is not. */
function earliest(row: IdentityProvider, appid: string): number {
  const times = appsOf(row)
    .filter((app) => app.appid === appid)
    .map((app) => confirmedSince(row, app) ?? Infinity);
  return Math.min(...times);
}
