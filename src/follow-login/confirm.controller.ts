import { Get, Inject, Param, Post } from '@nestjs/common';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Body, ZodPipe } from '../http/zod.pipe.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import { z } from 'zod';
import { randomAlphanumeric } from '../crypto/random.js';
import { redirect, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { failureOf } from '../http/to-iam-error.js';
import { IamError, providerErrors } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { followStateOf, linkOf, type FollowLogin } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { LoginDecisions } from './login-decisions.service.js';
import { FollowTokens, showUserCode } from './codes-and-tokens.service.js';
import { LoginWatch } from './login-watch.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { CodeExchange } from '../sign-in/code-exchange.service.js';
import { Profiles } from '../users/profiles.service.js';
import type { WechatGrant } from '../wechat/sns.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { readAuthorizationCode } from '../wechat/authorize-url.js';
import { WechatError } from '../wechat/wechat-error.js';
import type { Language } from '../http/user-agent.js';
import { confirmEndPage, type ConfirmEnding, confirmPage, endingOf } from './confirm-page.js';
import { PageCookies, scannerProof } from './page-cookies.service.js';

/** What WeChat says of a code that was exchanged before (protocol I.1). */
const CODE_USED = 40163;

/** The form of the confirm page. */
const decisionBody = z.object({
  login: z.string().max(256),
  csrf: z.string().max(128),
  decision: z.enum(['confirm', 'deny']),
  number: z.string().max(32).optional(),
});

const path = { provider: 'Slug of the provider row' };
/** Both routes look the login up, and its row. */
const lookupErrors = ['not_found', ...providerErrors, 'origin_forbidden'] as const;

/**
 * The phone's page for a scan: Official Account OAuth proves that the scanner opens the link, the page shows where
 * the request comes from, and takes the decision by POST. A GET, which link scanners send too, decides nothing.
 */
@PublicController('confirm')
export class ConfirmController {
  /** WeChat may send its redirect twice; the second one joins the first. */
  private readonly arrivals = new SingleFlight<IamResponse>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly providers: IdentityProviders,
    private readonly follows: FollowLogins,
    private readonly decisions: LoginDecisions,
    private readonly watch: LoginWatch,
    private readonly codes: CodeExchange,
    private readonly gateway: WechatGateway,
    private readonly profiles: Profiles,
    private readonly cookies: PageCookies,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
    private readonly failures: FailureLimits,
  ) {}

  /** The link from the chat, and WeChat's return to it. */
  @Endpoint({
    summary: "The phone's page for a scan; proves the scanner by Official Account OAuth",
    path,
    responses: { 200: 'text/html', 303: null, 302: null },
    errors: [
      ...lookupErrors,
      'state_mismatch',
      'wechat_unavailable',
      'wechat_answer_invalid',
      'wechat_code_invalid',
      'wechat_credentials_rejected',
      'snapshot_user',
      'rate_limited',
    ],
  })
  @Get(':provider')
  async show(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    if (request.browser.kind !== 'wechat') return this.end(request.language, 'outside', null);
    const { state, login: named } = request.query;
    if (typeof state === 'string') {
      const loginId = this.cookies.findRoundTrip(state, request.cookies);
      if (loginId === null)
        throw new IamError('state_mismatch', 'this phone is not on its way to a confirm page');
      return this.arrivals.run(state, () => this.arrive(slug, loginId, request));
    }
    const token = typeof named === 'string' ? named : '';
    const login = await this.find(slug, token);
    if (hasFailed(login)) return this.end(request.language, 'over', login);
    const { provider, app } = await this.accountOf(login);
    const proof = this.cookies.find(scannerProof, login.id, request.cookies);
    if (proof !== null) return this.page(login, { login: token, csrf: this.cookies.csrfOf(proof) }, request);
    // `snsapi_base` is silent: the person sees nothing of it.
    const back = { state: randomAlphanumeric(43), callbackURL: this.urls.endpoint(`confirm/${slug}`) };
    const url = this.codes.authorizeUrl({ provider, app }, { ...back, scope: 'snsapi_base' });
    const trip = { loginId: login.id, state: back.state, appid: app.appid };
    return redirect(url, 302, this.cookies.startRoundTrip(trip, request.cookies));
  }

  @Endpoint({
    summary: 'The decision on the phone',
    path,
    responses: { 200: 'text/html', 303: null },
    errors: lookupErrors,
  })
  @Post(':provider')
  async decide(
    @Param('provider') slug: string,
    @Body(new ZodPipe(decisionBody, 'application/x-www-form-urlencoded')) form: z.infer<typeof decisionBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const { login: token, csrf, decision, number } = form;
    const login = await this.find(slug, token);
    if (hasFailed(login)) return this.end(request.language, 'over', login);
    const proof = this.cookies.find(scannerProof, login.id, request.cookies);
    const { openid } = this.cookies.requireOwnForm(proof, csrf, request);
    const outcome = await this.decisions.decide(login, openid, { decision, typed: number });
    if (outcome === 'confirmed') this.watch.note(login.id, { status: outcome, openid });
    else this.watch.hint(login.id);
    const isWrong = outcome === 'wrong' ? '&number=wrong' : '';
    return redirect(this.urls.path(`confirm/${slug}?login=${token}${isWrong}`), 303);
  }

  private async find(slug: string, token: string): Promise<FollowLogin> {
    const loginId = this.tokens.read('confirm', token);
    const login = loginId === null ? null : await this.follows.find(loginId);
    if (login?.provider !== slug) throw new IamError('not_found', 'no such login at this provider');
    return login;
  }

  private async accountOf(login: FollowLogin): Promise<{ provider: IdentityProvider; app: WechatApp }> {
    const provider = await this.providers.getEnabled(login.provider);
    if (provider.mp?.appid !== login.appid)
      throw new IamError('provider_misconfigured', 'another Official Account by now');
    return { provider, app: provider.mp };
  }

  /** WeChat's return; a second one, later or on another replica, leads to the page and exchanges nothing. */
  private async arrive(slug: string, loginId: string, request: IamRequest): Promise<IamResponse> {
    const code = readAuthorizationCode(request.query['code']);
    if (code === null) throw new IamError('access_denied', 'WeChat returned without a code');
    const token = this.tokens.mint('confirm', loginId);
    const login = await this.find(slug, token);
    if (hasFailed(login)) return this.end(request.language, 'over', login);
    const { app } = await this.accountOf(login);
    const page = this.urls.path(`confirm/${slug}?login=${token}`);
    if (this.cookies.find(scannerProof, loginId, request.cookies) !== null) return redirect(page, 303);
    const grant = await this.exchange(app, code, login, request);
    if (grant === null) return redirect(page, 303);
    if (grant.snapshotUser)
      throw new IamError('snapshot_user', 'the confirm page was opened in snapshot mode');
    if (grant.openid !== login.openid) return this.end(request.language, 'foreign', login);
    return redirect(page, 303, [this.cookies.keep(scannerProof, { loginId, openid: grant.openid })]);
  }

  /** Null: WeChat says that the code was used, so the phone is sent on, or asks once more. */
  private async exchange(
    app: WechatApp,
    code: string,
    login: FollowLogin,
    { origin }: IamRequest,
  ): Promise<WechatGrant | null> {
    const by = { origin, at: app.appid, provider: login.provider };
    try {
      return await this.failures.guard(by, { ofThrown: failureOf }, async () =>
        (await this.decisions.claimConfirmCode(login, code))
          ? this.gateway.sns.exchangeCode(app, code)
          : null,
      );
    } catch (error) {
      if (error instanceof WechatError && error.errcode === CODE_USED) return null;
      throw error;
    }
  }

  private async page(
    login: FollowLogin,
    fields: Readonly<Record<string, string>>,
    { language, query }: IamRequest,
  ): Promise<IamResponse> {
    const ending = endingOf(login);
    if (ending !== null) return this.end(language, ending, login);
    const link = linkOf(login);
    const code = this.tokens.userCodeOf(login);
    const action = this.urls.path(`confirm/${login.provider}`);
    return confirmPage({
      language,
      siteName: this.options.siteName,
      login,
      action,
      fields,
      link: link === undefined ? null : { nickname: await this.profiles.findNickname(link.userId) },
      shown: code === null ? (login.user_code ?? '') : showUserCode(code),
      isNumberWrong: query['number'] === 'wrong',
    });
  }

  private end(language: Language, ending: ConfirmEnding, login: FollowLogin | null): IamResponse {
    return confirmEndPage(language, ending, { login, site: this.options });
  }
}

/** Where the provider's row can finish no scan any more, the page says that it is over before the phone proves anything. */
function hasFailed(login: FollowLogin): boolean {
  return followStateOf(login) === 'failed';
}
