import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamLogger } from '../iam-logger.js';
import { IamError } from '../iam.error.js';
import { AcceptedSecrets } from '../identity-providers/accepted-secrets.service.js';
import { isAskable } from '../identity-providers/confirmations.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { SubjectHolder } from '../users/find-subject.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import type { WechatGrant } from '../wechat/sns.js';
import type { WechatApp } from '../wechat/wechat-app.js';
import { WechatError } from '../wechat/wechat-error.js';
import { runStrategy, type RunnableStrategy } from './run-strategy.js';
import type { WechatStateStore } from './state-store.js';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import { WechatMpStrategy } from './wechat-mp.strategy.js';
import type { WechatAuthenticateOptions } from './wechat-oauth2.strategy.js';
import { WechatOpenStrategy } from './wechat-open.strategy.js';
import { toUserProfile, type WechatUserProfile } from './wechat-user-profile.js';

/** A claimed callback: the app and the state were recorded when the sign-in started. */
export interface ClaimedCallback {
  readonly method: 'open' | 'mp';
  readonly appid: string;
  readonly state: string;
}

/** What a code proved, and who held it before. */
export interface ProvenSubject {
  readonly subject: Subject;
  readonly holder: SubjectHolder;
}

/** One exchange under way; Passport's callbacks find it here. */
interface Exchange {
  readonly provider: IdentityProvider;
  readonly callback: ClaimedCallback;
  /** What the code was exchanged for. */
  grant?: WechatGrant;
  /** Who held the grant's openid and unionid. */
  holder?: SubjectHolder;
}

/** The strategy pair of each provider row, built when the row is first used and again when it has changed. */
@Injectable()
export class WechatStrategies {
  private readonly logger = new IamLogger(WechatStrategies.name);
  /** A row that changes gets new app objects, so what was built from the old ones is forgotten with them. */
  private readonly built = new WeakMap<WechatApp, RunnableStrategy>();
  private readonly exchanges = new AsyncLocalStorage<Exchange>();

  constructor(
    private readonly gateway: WechatGateway,
    private readonly urls: IamUrls,
    private readonly users: Users,
    private readonly accepted: AcceptedSecrets,
  ) {}

  /** Where the browser goes to sign in. */
  async authorizeUrl(
    provider: IdentityProvider,
    { state, ...which }: ClaimedCallback,
    options: WechatAuthenticateOptions = {},
  ): Promise<string> {
    const outcome = await runStrategy(this.strategyOf(provider, which), { query: {} }, { ...options, state });
    if (outcome.kind !== 'redirect')
      throw new IamError('internal_error', `strategy ended in ${outcome.kind}`);
    return outcome.url;
  }

  /** Exchanges a code, once, and reads the profile unless the stored one is fresh enough. */
  async exchange(
    provider: IdentityProvider,
    callback: ClaimedCallback,
    code: string,
  ): Promise<ProvenSubject> {
    const exchange: Exchange = { provider, callback };
    const subject = toSubject(exchange, await this.prove(exchange, code));
    const { holder, grant } = exchange;
    const isHolder = holder !== undefined && grant?.unionid === subject.unionid;
    return { subject, holder: isHolder ? holder : await this.users.find(subject) };
  }

  private async prove(exchange: Exchange, code: string): Promise<WechatUserProfile> {
    const { provider, callback } = exchange;
    const strategy = this.strategyOf(provider, callback);
    const request = { query: { code, state: callback.state } };
    try {
      const outcome = await this.exchanges.run(exchange, () => runStrategy(strategy, request));
      if (outcome.kind === 'success') return asProfile(outcome.user);
      throw new IamError('internal_error', `strategy ended in ${outcome.kind}`);
    } catch (error) {
      return this.withoutProfile(exchange, error);
    }
  }

  /** Somebody known by openid is signed in though WeChat is too busy for the profile: another sign-in will read it. */
  private withoutProfile({ callback, grant, holder }: Exchange, error: unknown): WechatUserProfile {
    const isBusy = error instanceof WechatError && ['retry', 'rate'].includes(error.action);
    const isKnown = holder !== undefined && holder.identity_user_id !== null;
    if (!isBusy || !isKnown || grant === undefined) throw error;
    this.logger.warn(`signing in without the profile: ${error.message}`);
    return toUserProfile(callback.appid, grant, null);
  }

  private strategyOf(
    provider: IdentityProvider,
    { method, appid }: Pick<ClaimedCallback, 'method' | 'appid'>,
  ): RunnableStrategy {
    const app = provider[method];
    if (app?.appid !== appid)
      throw new IamError('provider_misconfigured', `"${provider.slug}" has another ${method} app by now`);
    const known = this.built.get(app);
    if (known !== undefined) return known;
    const strategy = this.build(provider, app);
    this.built.set(app, strategy);
    return strategy;
  }

  private build(provider: IdentityProvider, app: WechatApp): RunnableStrategy {
    const options = {
      appid: app.appid,
      secret: app.secret,
      callbackURL: this.urls.callback(provider.slug),
      http: this.gateway.http,
      store: this.stateStore(),
      skipUserProfile: (grant: WechatGrant) => this.onGrant(app, grant),
    };
    const verify = (_access: string, _refresh: string, profile: WechatUserProfile, done: VerifyDone) =>
      done(null, profile);
    return app.kind === 'open'
      ? new WechatOpenStrategy(options, verify)
      : new WechatMpStrategy({ ...options, scope: provider.mpScope }, verify);
  }

  /** Cookie and claim have settled whose state it is; the strategy only sees that it is the one of this exchange. */
  private stateStore(): WechatStateStore {
    return {
      store: (_request, _meta, done) => done(new IamError('internal_error', 'a sign-in brings its state')),
      verify: (_request, state, _meta, done) =>
        done(null, state === this.exchanges.getStore()?.callback.state),
    };
  }

  /** Whether the stored profile is fresh enough. */
  private async onGrant(app: WechatApp, grant: WechatGrant): Promise<boolean> {
    if (!isAskable(app)) await this.accepted.note(app);
    const { appid } = app;
    const exchange = this.exchanges.getStore();
    if (exchange === undefined) return false;
    const { unionScope } = exchange.provider;
    const { openid, unionid } = grant;
    exchange.grant = grant;
    exchange.holder = await this.users.find({ appid, openid, unionScope, unionid });
    return exchange.holder.profile_is_fresh;
  }
}

type VerifyDone = (error: null, user: object) => void;

function toSubject({ provider, callback }: Exchange, profile: WechatUserProfile): Subject {
  const { appid, openid, unionid = null, displayName, photos, loaded } = profile;
  return {
    provider: provider.slug,
    appKind: callback.method,
    appid,
    openid,
    unionScope: provider.unionScope,
    unionid,
    profile: loaded
      ? { nickname: displayName === '' ? null : displayName, avatarUrl: photos[0]?.value ?? null }
      : null,
  };
}

function asProfile(user: unknown): WechatUserProfile {
  if (isProfile(user)) return user;
  throw new TypeError('the verify callback hands on the profile');
}

function isProfile(user: unknown): user is WechatUserProfile {
  return typeof user === 'object' && user !== null && 'openid' in user && 'photos' in user;
}
