import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { followPage } from '../follow-login/follow-page.js';
import { FollowProof } from '../follow-login/collect.service.js';
import { json, redirect, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { logFailure } from '../http/log-failure.js';
import { toIamError } from '../http/to-iam-error.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { chooseMethod, type LoginMethod } from '../identity-providers/method-choice.js';
import type { Attempt } from '../sign-in/sealed-attempt.js';
import { CodeExchange, redirectAppOf } from '../sign-in/code-exchange.service.js';
import { wxLoginParameters } from '../wechat/authorize-url.js';
import { AttemptCookies } from './attempt-cookies.service.js';
import { parseAuthorizeRequest, type AuthorizeRequest } from './authorize-request.js';
import { returnError } from './client-redirect.js';
import { Clients } from './clients.service.js';

interface Redirect {
  readonly clientId: string;
  readonly redirectUri: string;
}

/** `GET /authorize`: seals what comes after into a cookie and sends the browser to WeChat, or shows our own page. Stores nothing. */
@Injectable()
export class Authorize {
  private readonly logger = new IamLogger(Authorize.name);

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clients: Clients,
    private readonly providers: IdentityProviders,
    private readonly codes: CodeExchange,
    private readonly cookies: AttemptCookies,
    private readonly urls: IamUrls,
    private readonly followProof: FollowProof,
    private readonly clock: Clock,
  ) {}

  async start(request: IamRequest): Promise<IamResponse> {
    const { query } = request;
    const back = this.clients.checkRedirect(query['client_id'], query['redirect_uri']);
    try {
      return await this.begin(request, back, parseAuthorizeRequest(query));
    } catch (thrown) {
      if (query['display'] === 'widget') throw thrown;
      const error = toIamError(thrown);
      logFailure(this.logger, error, `start for client "${back.clientId}":`);
      const clientState = typeof query['state'] === 'string' ? query['state'] : undefined;
      const to = { redirectUri: back.redirectUri, clientState, issuer: this.options.publicUrl };
      return returnError(to, error.code);
    }
  }

  /** Starts where the client and where it returns to are known: what a request says of them is checked in `start`. */
  async begin(request: IamRequest, back: Redirect, asked: AuthorizeRequest): Promise<IamResponse> {
    const provider = await this.providers.getEnabled(asked.provider);
    const followLoginId = await this.followLoginId(provider, back, asked, request);
    const method = asked.display === 'widget' && asked.method === 'auto' ? 'open' : asked.method;
    const chosen = chooseMethod(provider, request.browser, {
      method,
      hasFollowed: followLoginId !== undefined,
    });
    if (typeof chosen !== 'string')
      throw new IamError(chosen.problem, `provider "${provider.slug}", method ${asked.method}`);
    const attempt = this.attempt(provider, chosen, back, asked);
    const cookies = this.cookies.start(
      { ...attempt, ...(followLoginId !== undefined && { followLoginId }) },
      request.cookies,
    );
    return { ...this.answer(provider, attempt, request, asked.display), cookies };
  }

  private answer(
    provider: IdentityProvider,
    attempt: Attempt,
    request: IamRequest,
    display: AuthorizeRequest['display'],
  ): IamResponse {
    const { method, appid, state } = attempt;
    if (display === 'widget') return this.widget(attempt);
    if (method === 'follow') return this.followPage(attempt, request);
    const lang = request.language === 'en' ? 'en' : 'zh_CN';
    const app = redirectAppOf(provider, { method, appid });
    return redirect(this.codes.authorizeUrl(app, { state, lang }), 302);
  }

  /** One read, only for a start that claims to go on from a scan; an `mp` row has no such step. */
  private async followLoginId(
    provider: IdentityProvider,
    back: Redirect,
    { follow_proof }: AuthorizeRequest,
    request: IamRequest,
  ): Promise<string | undefined> {
    if (follow_proof === undefined || provider.qr.loginWith !== 'open') return undefined;
    return this.followProof.check(follow_proof, provider, back.clientId, request);
  }

  private attempt(
    provider: IdentityProvider,
    method: LoginMethod,
    back: Redirect,
    asked: AuthorizeRequest,
  ): Attempt {
    const app = method === 'open' ? provider.open : provider.mp;
    if (app === null) throw new IamError('provider_misconfigured', `no pair for ${method}`);
    return {
      state: randomAlphanumeric(43),
      provider: provider.slug,
      method,
      appid: app.appid,
      clientId: back.clientId,
      redirectUri: back.redirectUri,
      ...(asked.state !== undefined && { clientState: asked.state }),
      codeChallenge: asked.code_challenge,
      startedAt: this.clock.now(),
    };
  }

  private followPage(attempt: Attempt, request: IamRequest): IamResponse {
    return followPage({
      language: request.language,
      siteName: this.options.siteName,
      state: attempt.state,
      startUrl: this.urls.path('follow'),
      finishUrl: this.urls.path('follow/finish'),
    });
  }

  /** What a page hands to `new WxLogin({…})`. */
  private widget({ appid, state, provider, method }: Attempt): IamResponse {
    if (method !== 'open')
      throw new IamError('method_unavailable', 'the embedded QR code is the Open Platform’s');
    const parameters = wxLoginParameters({ appid, state, redirectUri: this.urls.callback(provider) });
    return json({ ...parameters, expires_in: this.options.loginLifetime });
  }
}
