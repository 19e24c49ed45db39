import type { Request } from 'express';
import OAuth2Strategy from 'passport-oauth2';
import { IamError } from '../iam.error.js';
import { WechatSns, type WechatLanguage } from '../wechat/sns.js';
import type { WechatAppKind } from '../wechat/wechat-app.js';
import { readCallback } from './callback-query.js';
import { CodeExchange } from './code-exchange.js';
import { derive } from './derive.js';
import type { StateMeta } from './state-store.js';
import {
  checkCallbackURL,
  type ResolvedStrategyOptions,
  resolveStrategyOptions,
  type WechatStrategyOptions,
} from './strategy-options.js';
import { toUserProfile, type WechatUserProfile } from './wechat-user-profile.js';
import {
  type AnyWechatVerify,
  verifyByArity,
  type WechatVerify,
  type WechatVerifyWithParams,
  type WechatVerifyWithRequest,
  type WechatVerifyWithRequestAndParams,
} from './wechat-verify.js';

/** What one call of `authenticate` may choose, besides Passport's own options. */
export interface WechatAuthenticateOptions {
  /** Another callback than the strategy's, absolute too. */
  readonly callbackURL?: string;
  /** A state of your own, letters and digits; the strategy's `store` must then know it at the callback. */
  readonly state?: string;
  readonly scope?: string;
  readonly lang?: WechatLanguage;
  /** Official Account: ask for consent even where WeChat would stay silent. */
  readonly forcePopup?: boolean;
}

/** What an authorize URL is made from. */
export interface AuthorizeAsk {
  readonly endpoint: string;
  readonly appid: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly scope: string;
  readonly lang: WechatLanguage;
  readonly forcePopup: boolean;
}

/** What differs between the kinds of app. */
export interface WechatStrategyTraits {
  readonly kind: WechatAppKind;
  readonly name: string;
  readonly authorizePath: string;
  /** The allowed scopes, the default first. */
  readonly scopes: readonly [string, ...string[]];
}

type WithRequest = WechatStrategyOptions & { readonly passReqToCallback: true };
type WithoutRequest = WechatStrategyOptions & { readonly passReqToCallback?: false };

/** OAuth 2.0 as WeChat speaks it. The order of authenticate is passport-oauth2's; each step is WeChat's. */
export abstract class WechatOAuth2Strategy extends OAuth2Strategy {
  private readonly options: ResolvedStrategyOptions;
  private readonly scope: string;

  /* eslint-disable @typescript-eslint/unified-signatures -- one overload per arity, so that callbacks get their types */
  constructor(options: WithoutRequest, verify: WechatVerify);
  constructor(options: WithoutRequest, verify: WechatVerifyWithParams);
  constructor(options: WithRequest, verify: WechatVerifyWithRequest);
  constructor(options: WithRequest, verify: WechatVerifyWithRequestAndParams);
  /* eslint-enable @typescript-eslint/unified-signatures */
  constructor(options: WechatStrategyOptions, verify: AnyWechatVerify) {
    const resolved = resolveStrategyOptions(options);
    const settings: OAuth2Strategy.StrategyOptionsWithRequest = {
      authorizationURL: resolved.http.endpoints.open,
      tokenURL: resolved.http.endpoints.api,
      clientID: resolved.appid,
      clientSecret: '',
      callbackURL: resolved.callbackURL,
      passReqToCallback: true,
    };
    super(
      Object.assign(settings, { store: resolved.store }),
      verifyByArity(verify, resolved.passReqToCallback),
    );
    this.options = resolved;
    this.name = this.traits().name;
    this.scope = this.checkScope(resolved.scope ?? this.traits().scopes[0]);
  }

  protected abstract traits(): WechatStrategyTraits;

  /** The URL in WeChat's documented order, with its `appid` and its fragment. */
  protected abstract authorizeUrl(ask: AuthorizeAsk): string;

  override authenticate(request: Request, options: WechatAuthenticateOptions = {}): void {
    const callback = readCallback(request);
    if (callback.kind === 'malformed') this.fail({ message: 'invalid_request' }, 400);
    else if (callback.kind === 'stateless') this.fail({ message: 'state_mismatch' }, 403);
    else if (callback.kind === 'denied') this.deny(request, callback.state, options);
    else super.authenticate.call(this.forRequest(options), request, options);
  }

  override userProfile(
    _accessToken: string,
    done: (error?: unknown, profile?: WechatUserProfile) => void,
  ): void {
    this.loadProfile()
      .then((profile) => done(null, profile))
      .catch(done);
  }

  /** An object for this request alone: it remembers the grant and turns the redirect into WeChat's form. */
  private forRequest(options: WechatAuthenticateOptions): this {
    const { appid, secret, http } = this.options;
    const app = { kind: this.traits().kind, appid, secret };
    const once = derive(this);
    once._oauth2 = new CodeExchange(appid, this.meta(options).authorizationURL, this.meta(options).tokenURL, {
      exchange: (code) => new WechatSns(http).exchangeCode(app, code),
      fail: (error) => this.error(error),
    });
    once.redirect = (location, status) => {
      try {
        this.redirect(this.toWechatUrl(location, options), status);
      } catch (error) {
        this.error(error);
      }
    };
    return once;
  }

  private toWechatUrl(location: string, options: WechatAuthenticateOptions): string {
    const asked = new URL(location).searchParams;
    const state = asked.get('state') ?? '';
    if (!/^[A-Za-z0-9]{1,128}$/.test(state))
      throw new TypeError('state: expected 1 to 128 letters and digits');
    return this.authorizeUrl({
      endpoint: this.options.http.endpoints.open,
      appid: this.options.appid,
      redirectUri: checkCallbackURL(asked.get('redirect_uri')),
      state,
      scope: options.scope === undefined ? this.scope : this.checkScope(options.scope),
      lang: options.lang ?? this.options.lang,
      forcePopup: options.forcePopup ?? false,
    });
  }

  /** A refusal consumes its state like any other callback, and only then counts as the person's. */
  private deny(request: Request, state: string, options: WechatAuthenticateOptions): void {
    this.options.store.verify(request, state, this.meta(options), (error, ok, info) => {
      if (error !== null) this.error(error);
      else if (ok) this.fail({ message: 'access_denied' }, 403);
      else this.fail(typeof info === 'object' && info !== null ? info : { message: 'state_mismatch' }, 403);
    });
  }

  private async loadProfile(): Promise<WechatUserProfile> {
    const grant = this._oauth2 instanceof CodeExchange ? this._oauth2.grant : null;
    if (grant === null)
      throw new IamError('internal_error', 'userProfile was called before the code was exchanged');
    const { appid, http, lang, skipUserProfile } = this.options;
    const silent = this.scope === 'snsapi_base' || grant.scopes.every((scope) => scope === 'snsapi_base');
    const skip =
      silent || (typeof skipUserProfile === 'function' ? await skipUserProfile(grant) : skipUserProfile);
    return toUserProfile(appid, grant, skip ? null : await new WechatSns(http).userinfo(grant, lang));
  }

  private checkScope(scope: string): string {
    const { scopes } = this.traits();
    if (!scopes.includes(scope)) throw new TypeError(`scope: expected ${scopes.join(' or ')}`);
    return scope;
  }

  private meta({ callbackURL }: WechatAuthenticateOptions): StateMeta {
    const { open, api } = this.options.http.endpoints;
    return {
      authorizationURL: open + this.traits().authorizePath,
      tokenURL: `${api}/sns/oauth2/access_token`,
      clientID: this.options.appid,
      callbackURL: callbackURL ?? this.options.callbackURL,
    };
  }
}
