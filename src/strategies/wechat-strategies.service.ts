import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { IamUrls } from '../http/iam-urls.service.js';
import { IamError } from '../iam.error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { SubjectHolder } from '../users/find-subject.js';
import type { Subject } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import type { WechatGrant } from '../wechat/sns.js';
import type { WechatApp } from '../wechat/wechat-app.js';
import { runStrategy, type RunnableStrategy } from './run-strategy.js';
import type { WechatStateStore } from './state-store.js';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import { WechatMpStrategy } from './wechat-mp.strategy.js';
import { WechatOpenStrategy } from './wechat-open.strategy.js';
import type { WechatUserProfile } from './wechat-user-profile.js';

/** A claimed callback: the app and the state were recorded when the sign-in started. */
export interface ClaimedCallback {
  readonly method: 'open' | 'mp';
  readonly appid: string;
  readonly state: string;
  /** Where WeChat was told to return; the provider's callback unless said otherwise. */
  readonly callbackUrl?: string;
}

/** What a code proved, and who held it before. */
export interface ProvenSubject {
  readonly subject: Subject;
  readonly holder: SubjectHolder;
}

/** One exchange under way; Passport's callbacks find it here. */
interface Exchange {
  readonly provider: IdentityProvider;
  readonly state: string;
  holder?: SubjectHolder;
  /** The unionid with which `holder` was looked up. */
  holderUnionid?: string | null;
  isProfileRead: boolean;
}

/** The strategy pair of each provider row, built when the row is first used and again when it has changed. */
@Injectable()
export class WechatStrategies {
  /** A row that changes gets new app objects, so what was built from the old ones is forgotten with them. */
  private readonly built = new WeakMap<WechatApp, RunnableStrategy>();
  private readonly exchanges = new AsyncLocalStorage<Exchange>();

  constructor(
    private readonly gateway: WechatGateway,
    private readonly urls: IamUrls,
    private readonly users: Users,
  ) {}

  /** Where the browser goes to sign in. */
  async authorizeUrl(
    provider: IdentityProvider,
    { state, callbackUrl, ...which }: ClaimedCallback,
    scope?: 'snsapi_base',
  ): Promise<string> {
    const options = {
      state,
      ...(callbackUrl !== undefined && { callbackURL: callbackUrl }),
      ...(scope !== undefined && { scope }),
    };
    const outcome = await runStrategy(this.strategyOf(provider, which), { query: {} }, options);
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
    const strategy = this.strategyOf(provider, callback);
    const exchange: Exchange = { provider, state: callback.state, isProfileRead: false };
    const request = { query: { code, state: callback.state } };
    const outcome = await this.exchanges.run(exchange, () => runStrategy(strategy, request));
    if (outcome.kind !== 'success') throw new IamError('internal_error', `strategy ended in ${outcome.kind}`);
    const subject = toSubject(exchange, callback.method, asProfile(outcome.user));
    const isKnown = exchange.holder !== undefined && exchange.holderUnionid === subject.unionid;
    return { subject, holder: isKnown && exchange.holder ? exchange.holder : await this.users.find(subject) };
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
      skipUserProfile: (grant: WechatGrant) => this.isProfileFresh(app.appid, grant),
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
      verify: (_request, state, _meta, done) => done(null, state === this.exchanges.getStore()?.state),
    };
  }

  private async isProfileFresh(appid: string, grant: WechatGrant): Promise<boolean> {
    const exchange = this.exchanges.getStore();
    if (exchange === undefined) return false;
    const { unionScope } = exchange.provider;
    exchange.holder = await this.users.find({
      appid,
      openid: grant.openid,
      unionScope,
      unionid: grant.unionid,
    });
    exchange.holderUnionid = grant.unionid;
    exchange.isProfileRead = !exchange.holder.profile_is_fresh;
    return exchange.holder.profile_is_fresh;
  }
}

type VerifyDone = (error: null, user: object) => void;

function toSubject(
  { provider, isProfileRead }: Exchange,
  appKind: 'open' | 'mp',
  profile: WechatUserProfile,
): Subject {
  const { appid, openid, unionid = null, displayName, photos } = profile;
  return {
    provider: provider.slug,
    appKind,
    appid,
    openid,
    unionScope: provider.unionScope,
    unionid,
    profile: isProfileRead
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
