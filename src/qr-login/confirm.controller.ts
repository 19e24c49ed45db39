import { Get, Param, Post } from '@nestjs/common';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Incoming, Body, ZodPipe } from '../http/parameter.decorators.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { z } from 'zod';
import { randomAlphanumeric } from '../crypto/random.js';
import { redirect, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { failureOf } from '../http/to-iam-error.js';
import { IamError, providerErrors } from '../errors/iam.error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { qrStateOf } from './qr-login.js';
import { type NamedLogin, type PhoneLogin, PhoneLogins, scannerOf } from './phone-logins.service.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { LoginWatch } from './login-watch.service.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { CodeExchange, type CodeApp } from '../sign-in/code-exchange.service.js';
import type { WechatGrant } from '../wechat/sns.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { readAuthorizationCode } from '../wechat/authorize-url.js';
import { isCodeUsed } from '../wechat/wechat-error.js';
import { PhonePages } from './confirm-page.js';
import { QrWays } from './qr-way.js';
import { PageCookies, roundTrip, scannerProof } from '../sign-in/page-cookies.service.js';

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
 * the request comes from, and takes the decision by POST. A GET, which link scanners send too, decides nothing. The way to
 * WeChat reads nothing; the return and the decision are one statement each, and their page shows the row that it returned.
 */
@PublicController('confirm')
export class ConfirmController {
  /** WeChat may send its redirect twice; the second one joins the first. */
  private readonly arrivals = new SingleFlight<IamResponse>();

  constructor(
    private readonly providers: IdentityProviders,
    private readonly phones: PhoneLogins,
    private readonly watch: LoginWatch,
    private readonly codes: CodeExchange,
    private readonly gateway: WechatGateway,
    private readonly ways: QrWays,
    private readonly pages: PhonePages,
    private readonly cookies: PageCookies,
    private readonly tokens: LoginTokens,
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
  async show(@Param('provider') provider: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    if (request.browser.kind !== 'wechat') return this.pages.end(request.language, 'outside', null);
    const { state, login: token } = request.query;
    if (typeof state === 'string') {
      const loginId = this.cookies.find(roundTrip, state, request.cookies)?.loginId;
      if (loginId === undefined)
        throw new IamError('state_mismatch', 'this phone is not on its way to a confirm page');
      return this.arrivals.run(state, () => this.arrive({ provider, loginId }, request));
    }
    const named = { provider, loginId: this.readLink(token) };
    const proof = this.cookies.find(scannerProof, named.loginId, request.cookies);
    if (proof === null) return this.atAccount(named, request, (of) => this.leave(named, of, request));
    return this.pages.show(await this.get(named), proof, request);
  }

  @Endpoint({
    summary: 'The decision on the phone',
    path,
    responses: { 200: 'text/html', 303: null },
    errors: lookupErrors,
  })
  @Post(':provider')
  async decide(
    @Param('provider') provider: string,
    @Body(new ZodPipe(decisionBody, 'application/x-www-form-urlencoded')) form: z.infer<typeof decisionBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const { csrf, decision, number: typed } = form;
    const named = { provider, loginId: this.readLink(form.login) };
    const found = this.cookies.find(scannerProof, named.loginId, request.cookies);
    const proof = this.cookies.requireOwnForm(found, csrf, request);
    const decided = await this.phones.decide(scannerOf(named, proof), { decision, typed });
    if (decided === null) throw noSuchLogin();
    const { login, outcome } = decided;
    const { openid } = proof;
    if (outcome === 'confirmed')
      this.watch.note(login.id, { status: outcome, openid, subject: proof.subject });
    else this.watch.hint(login.id);
    // A page that is loaded again sends its form again, and another wrong number would count.
    if (outcome === 'wrong') return redirect(`${this.pages.addressOf(named)}&number=wrong`, 303);
    return this.pages.show(login, proof, request);
  }

  private readLink(token: unknown): string {
    const loginId = typeof token === 'string' ? this.tokens.read('confirm', token) : null;
    if (loginId === null) throw noSuchLogin();
    return loginId;
  }

  private async get(named: NamedLogin): Promise<PhoneLogin> {
    const login = await this.phones.find(named);
    if (login === null) throw noSuchLogin();
    return login;
  }

  /** Runs `work` with the account of the row in memory. Where that can finish no scan, the page says that it is over before the phone proves anything. */
  private async atAccount(
    named: NamedLogin,
    { language }: IamRequest,
    work: (of: CodeApp) => IamResponse | Promise<IamResponse>,
  ): Promise<IamResponse> {
    let of: CodeApp;
    try {
      const provider = await this.providers.getEnabled(named.provider);
      const app = this.ways.get(provider.qr.with).accountOf(provider);
      if (app.kind !== 'mp')
        throw new IamError('method_unavailable', `"${provider.slug}" asks in its mini program`);
      of = { provider, app };
    } catch (error) {
      const login = await this.get(named);
      if (!hasFailed(login)) throw error;
      return this.pages.end(language, 'over', login);
    }
    return work(of);
  }

  /** `snsapi_base` is silent: the person sees nothing of it. */
  private leave({ provider, loginId }: NamedLogin, of: CodeApp, { cookies }: IamRequest): IamResponse {
    const back = { state: randomAlphanumeric(43), redirectUri: this.urls.endpoint(`confirm/${provider}`) };
    const url = this.codes.authorizeUrl(of, { ...back, scope: 'snsapi_base' });
    const trip = { loginId, state: back.state };
    return redirect(url, 302, this.cookies.keep(roundTrip, trip, { key: back.state, present: cookies }));
  }

  /** WeChat's return; a second one, later or on another replica, leads to the page and exchanges nothing. */
  private async arrive(named: NamedLogin, request: IamRequest): Promise<IamResponse> {
    const code = readAuthorizationCode(request.query['code']);
    if (code === null) throw new IamError('access_denied', 'WeChat returned without a code');
    const { loginId } = named;
    if (this.cookies.find(scannerProof, loginId, request.cookies) !== null)
      return redirect(this.pages.addressOf(named), 303);
    return this.atAccount(named, request, async ({ app }) => {
      const { login, grant } = await this.exchange(named, { app, code }, request);
      if (login !== null && (hasFailed(login) || login.method === 'page'))
        return this.pages.end(request.language, 'over', login);
      if (login === null || grant === null) return redirect(this.pages.addressOf(named), 303);
      if (grant.snapshotUser)
        throw new IamError('snapshot_user', 'the confirm page was opened in snapshot mode');
      if (grant.openid !== login.openid) return this.pages.end(request.language, 'foreign', login);
      const proof = { loginId, openid: grant.openid };
      const cookies = this.cookies.keep(scannerProof, proof, { key: loginId, present: request.cookies });
      return { ...this.pages.show(login, proof, request), cookies };
    });
  }

  /** Without a grant: WeChat or the claim says that the code was used, so the phone is sent on, or asks once more. */
  private async exchange(
    named: NamedLogin,
    { app, code }: { readonly app: WechatApp; readonly code: string },
    { origin }: IamRequest,
  ): Promise<{ readonly login: PhoneLogin | null; readonly grant: WechatGrant | null }> {
    const by = { origin, at: app.appid, provider: named.provider };
    try {
      return await this.failures.guardClaim(
        by,
        { ofThrown: failureOf },
        {
          claim: (tiers) => this.phones.claim(named, app, code, tiers),
          work: async (arrival) => ({
            login: arrival?.login ?? null,
            grant: arrival?.isClaimed === true ? await this.gateway.sns.exchangeCode(app, code) : null,
          }),
        },
      );
    } catch (error) {
      if (!isCodeUsed(error)) throw error;
      return { login: null, grant: null };
    }
  }
}

function noSuchLogin(): IamError {
  return new IamError('not_found', 'no such login at this provider');
}

/** The row of the provider can finish no scan any more, or the login was ended. */
function hasFailed(login: PhoneLogin): boolean {
  return qrStateOf(login) === 'failed';
}
