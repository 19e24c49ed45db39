import type { Request } from 'express';
import OAuth2Strategy from 'passport-oauth2';
import { isSilent, type WechatLanguage, WechatSns } from '../sns.js';
import { authorizePages, authorizeUrl, type BrowserAppKind } from '../authorize-url.js';
import { IamError } from '../../errors/iam.error.js';
import { readCallback, WechatOAuth2Client } from './callback.js';
import { derive } from './run-strategy.js';
import type { StateMeta } from './state-store.js';
import {
  checkCallbackURL,
  type ResolvedStrategyOptions,
  resolveStrategyOptions,
  type WechatStrategyOptions,
  toUserProfile,
  type WechatUserProfile,
  type AnyWechatVerify,
  verifyByArity,
  type WechatVerify,
  type WechatVerifyWithParams,
  type WechatVerifyWithRequest,
  type WechatVerifyWithRequestAndParams,
} from './strategy-options.js';

/** Options of one call of `authenticate`, next to Passport's own. */
export interface WechatAuthenticateOptions {
  /** Another callback than the strategy's, absolute too. */
  readonly callbackURL?: string;
  /** A state of your own, letters and digits; the strategy's `store` must then know it at the callback. */
  readonly state?: string;
  readonly scope?: string;
  readonly lang?: WechatLanguage;
  /** Official Account: shows the consent page even where WeChat would skip it. */
  readonly forcePopup?: boolean;
}

type Choices = Required<Omit<WechatAuthenticateOptions, 'state'>>;
type WithRequest = WechatStrategyOptions & { readonly passReqToCallback: true };
type WithoutRequest = WechatStrategyOptions & { readonly passReqToCallback?: false };

/** OAuth 2.0 as WeChat speaks it. The order of authenticate is passport-oauth2's; each step is WeChat's. */
abstract class WechatOAuth2Strategy extends OAuth2Strategy {
  private readonly options: ResolvedStrategyOptions;
  private readonly scope: string;

  /* eslint-disable @typescript-eslint/unified-signatures -- apart, TypeScript infers the parameters of the short forms */
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
    this.name = `wechat-${this.kind()}`;
    this.scope = this.checkScope(resolved.scope ?? authorizePages[this.kind()].scopes[0]);
  }

  protected abstract kind(): BrowserAppKind;

  /** The URL at which a browser gets a code. @throws TypeError for a choice that WeChat would not take */
  authorizeUrl(options: WechatAuthenticateOptions & { readonly state: string }): string {
    const { callbackURL: redirectUri, ...choices } = this.choose(options);
    const { state } = options;
    if (!isState(state)) throw new TypeError('state: expected 1 to 128 letters and digits');
    const { appid, http } = this.options;
    return authorizeUrl(this.kind(), {
      ...choices,
      endpoint: http.endpoints.open,
      appid,
      redirectUri,
      state,
    });
  }

  override authenticate(request: Request, options: WechatAuthenticateOptions = {}): void {
    try {
      this.takeStep(request, { ...options, ...this.choose(options) });
    } catch (error) {
      this.error(error);
    }
  }

  override userProfile(
    _accessToken: string,
    done: (error?: unknown, profile?: WechatUserProfile) => void,
  ): void {
    this.loadProfile()
      .then((profile) => done(null, profile))
      .catch(done);
  }

  private takeStep(request: Request, choices: Choices & WechatAuthenticateOptions): void {
    const callback = readCallback(request);
    if (callback.kind === 'malformed') this.fail({ message: 'invalid_request' }, 400);
    else if (callback.kind === 'stateless') this.fail({ message: 'state_mismatch' }, 403);
    else if (callback.kind === 'denied') this.deny(request, callback.state, choices);
    else if (callback.kind === 'start') this.start(request, choices);
    else super.authenticate.call(this.forRequest(choices), request, choices);
  }

  private choose(options: WechatAuthenticateOptions): Choices {
    return {
      callbackURL: checkCallbackURL(options.callbackURL ?? this.options.callbackURL),
      scope: this.checkScope(options.scope ?? this.scope),
      lang: options.lang ?? this.options.lang,
      forcePopup: options.forcePopup ?? false,
    };
  }

  /** Passport would build a URL with `client_id`, which WeChat does not know, and without the fragment. */
  private start(request: Request, choices: Choices & WechatAuthenticateOptions): void {
    const { state } = choices;
    if (typeof state === 'string' && state !== '') this.redirect(this.authorizeUrl({ ...choices, state }));
    else
      this.options.store.store(request, this.meta(choices), (error, stored) =>
        this.redirectToWechat(choices, error, stored),
      );
  }

  /** As to passport-oauth2: stores in JavaScript report success by undefined, too, and no state by null. */
  private redirectToWechat(choices: Choices, failure?: Error | null, state?: string | null): void {
    try {
      if (failure != null) this.error(failure);
      else this.redirect(this.authorizeUrl({ ...choices, state: state ?? '' }));
    } catch (error) {
      this.error(error);
    }
  }

  /** An object for this request alone, which keeps the grant. */
  private forRequest(choices: Choices): this {
    const { appid, secret, http } = this.options;
    const { authorizationURL, tokenURL } = this.meta(choices);
    const app = { kind: this.kind(), appid, secret };
    const once = derive(this);
    once._oauth2 = new WechatOAuth2Client(appid, authorizationURL, tokenURL, {
      exchange: (code) => new WechatSns(http).exchangeCode(app, code),
      fail: (error) => this.error(error),
    });
    return once;
  }

  /** Without the check of its state anybody could report a refusal. */
  private deny(request: Request, state: string, choices: Choices): void {
    this.options.store.verify(request, state, this.meta(choices), (error, ok, info) => {
      if (error !== null) this.error(error);
      else if (ok) this.fail({ message: 'access_denied' }, 403);
      else this.fail(typeof info === 'object' && info !== null ? info : { message: 'state_mismatch' }, 403);
    });
  }

  private async loadProfile(): Promise<WechatUserProfile> {
    const grant = this._oauth2 instanceof WechatOAuth2Client ? this._oauth2.grant : null;
    if (grant === null)
      throw new IamError('internal_error', 'userProfile was called before the code was exchanged');
    const { appid, http, lang, skipUserProfile } = this.options;
    const silent = this.scope === 'snsapi_base' || isSilent(grant);
    const skip =
      silent || (typeof skipUserProfile === 'function' ? await skipUserProfile(grant) : skipUserProfile);
    return toUserProfile(appid, grant, skip ? null : await new WechatSns(http).userinfo(grant, lang));
  }

  private checkScope(scope: string): string {
    const scopes: readonly string[] = authorizePages[this.kind()].scopes;
    if (!scopes.includes(scope)) throw new TypeError(`scope: expected ${scopes.join(' or ')}`);
    return scope;
  }

  private meta({ callbackURL }: Choices): StateMeta {
    const { open, api } = this.options.http.endpoints;
    return {
      authorizationURL: open + authorizePages[this.kind()].path,
      tokenURL: `${api}/sns/oauth2/access_token`,
      clientID: this.options.appid,
      callbackURL,
    };
  }
}

/** Passport strategy for an Open Platform website app: a QR code in a PC browser. */
export class WechatOpenStrategy extends WechatOAuth2Strategy {
  protected override kind(): BrowserAppKind {
    return 'open';
  }
}

/** Passport strategy for an Official Account: sign-in inside WeChat. */
export class WechatMpStrategy extends WechatOAuth2Strategy {
  protected override kind(): BrowserAppKind {
    return 'mp';
  }
}

/** WeChat garbles any other state. */
function isState(state: string): boolean {
  return /^[A-Za-z0-9]{1,128}$/.test(state);
}
