import { Get, Inject, Param } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { randomAlphanumeric } from '../../crypto/random.js';
import { IamError, providerErrors, wechatErrors } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { type IamResponse, redirect } from '../../http/iam-response.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { failureOf } from '../../http/to-iam-error.js';
import { IdentityProviders } from '../../identity-providers/identity-providers.service.js';
import { SingleFlight } from '../../runtime/single-flight.js';
import { PublicController } from '../../http/endpoint-responses.service.js';
import { type CodeApp, CodeExchange } from '../../sign-in/code-exchange.service.js';
import { FailureLimits } from '../../sign-in/failure-limits.service.js';
import type { Subject } from '../../users/subject.js';
import { readAuthorizationCode } from '../../wechat/authorize-url.js';
import { isCodeUsed } from '../../wechat/wechat-error.js';
import { LoginWatch } from '../login-watch.service.js';
import { PageCookies, scannerProof, scanTrip } from '../../sign-in/page-cookies.service.js';
import { PhoneLogins, type ScannedCode } from '../phone-logins.service.js';
import { PhonePages } from '../confirm-page.js';
import { type QrState, qrStateOf } from '../qr-login.js';
import { PageMethod } from './page.method.js';
import { type ScanClaim, ScanClaims } from './scan-claims.service.js';
import { scanPage } from './scan-page.js';

/** Of the form that `PageMethod` makes; what is of another form is no scene of ours. */
const sceneForm = /^[A-Za-z0-9]{22}$/;

/**
 * The page that a QR code opens in WeChat. Before Official Account OAuth has proved a person nothing is read or stored, so link
 * scanners, crawlers and guesses change nothing; the return claims the login, and shows the question of every phone.
 */
@PublicController('scan')
export class ScanController {
  /** WeChat may send its redirect twice; the second one joins the first. */
  private readonly arrivals = new SingleFlight<IamResponse>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly providers: IdentityProviders,
    private readonly method: PageMethod,
    private readonly phones: PhoneLogins,
    private readonly claims: ScanClaims,
    private readonly codes: CodeExchange,
    private readonly cookies: PageCookies,
    private readonly pages: PhonePages,
    private readonly watch: LoginWatch,
    private readonly urls: IamUrls,
    private readonly failures: FailureLimits,
  ) {}

  /** The QR code's address, the way to WeChat, and WeChat's return to it. */
  @Endpoint({
    summary: 'What a QR code of the way `page` opens in WeChat; proves the scanner by Official Account OAuth',
    path: { provider: 'Slug of the provider row' },
    query: z.object({
      s: z.string().optional().meta({ description: 'The scene of the QR code' }),
      go: z.string().optional().meta({ description: 'The person has tapped: on to WeChat' }),
    }),
    responses: { 200: 'text/html', 302: null, 303: null },
    errors: [
      'not_found',
      ...providerErrors,
      'method_unavailable',
      'wechat_mp_not_configured',
      'state_mismatch',
      'access_denied',
      ...wechatErrors,
      'snapshot_user',
      'rate_limited',
    ],
  })
  @Get(':provider')
  async open(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    const { browser, cookies, language, query } = request;
    if (browser.kind !== 'wechat') return this.pages.end(language, 'unscanned', null);
    const { state, s: scene, go } = query;
    if (typeof state === 'string') {
      const trip = this.cookies.find(scanTrip, state, cookies);
      if (trip === null) throw new IamError('state_mismatch', 'this phone has scanned no QR code');
      const code = { scene: trip.scene, provider: slug };
      return this.arrivals.run(state, () => this.arrive(code, request));
    }
    if (typeof scene !== 'string' || !sceneForm.test(scene))
      throw new IamError('not_found', 'not a QR code of ours');
    const of = await this.appOf(slug);
    // WeChat answers a question that a page asks by itself with its read-only preview (protocol B.5).
    if (of.provider.mpScope === 'snsapi_userinfo' && go === undefined)
      return scanPage(request, {
        siteName: this.options.siteName,
        goOn: this.urls.path(`${pathOf(slug, scene)}&go=1`),
      });
    return this.leave(of, { scene, provider: slug }, request);
  }

  private async appOf(slug: string): Promise<CodeApp> {
    const provider = await this.providers.getEnabled(slug);
    return { provider, app: this.method.accountOf(provider) };
  }

  private leave(
    of: CodeApp,
    { scene, provider }: ScannedCode,
    { cookies, language }: IamRequest,
  ): IamResponse {
    const state = randomAlphanumeric(43);
    const url = this.codes.authorizeUrl(of, {
      state,
      redirectUri: this.urls.endpoint(`scan/${provider}`),
      lang: language === 'en' ? 'en' : 'zh_CN',
    });
    return redirect(
      url,
      302,
      this.cookies.keep(scanTrip, { scene, state }, { key: state, present: cookies }),
    );
  }

  /** WeChat's return. One whose code was claimed already leads the proven scanner to the question, and anybody else to another try. */
  private async arrive(code: ScannedCode, request: IamRequest): Promise<IamResponse> {
    const { query, language, origin } = request;
    const wechatCode = readAuthorizationCode(query['code']);
    if (wechatCode === null) throw new IamError('access_denied', 'WeChat returned without a code');
    const of = await this.appOf(code.provider);
    let loginId = '';
    try {
      const shown = await this.failures.guardClaim(
        { origin, at: of.app.appid, provider: code.provider },
        sceneFailures,
        {
          claim: (tiers) => this.phones.claim(code, of.app, wechatCode, tiers),
          work: async (arrival, refund) => {
            if (arrival === null) return null;
            const { login, isClaimed } = arrival;
            loginId = login.id;
            if (isOver(qrStateOf(login))) return this.pages.end(language, 'over', login);
            if (!isClaimed) return this.again(code, loginId, request);
            const { subject, holder } = await this.codes.exchangeFor(of, wechatCode, (scanner) =>
              this.claims.claim(code, scanner, refund),
            );
            return this.respond(holder, subject, request);
          },
        },
      );
      return shown ?? this.pages.end(language, 'over', null);
    } catch (error) {
      // Another code, sent by anybody who has the scene, may have taken the place of this one after it was exchanged.
      if (!isCodeUsed(error)) throw error;
      return this.again(code, loginId, request);
    }
  }

  private respond({ login, outcome }: ScanClaim, subject: Subject, request: IamRequest): IamResponse {
    if (login === null || outcome === 'over') return this.pages.end(request.language, 'over', login);
    if (outcome === 'taken') return this.pages.end(request.language, 'foreign', login);
    const { openid } = subject;
    this.watch.note(login.id, { status: 'scanned', openid });
    const proof = { loginId: login.id, openid, subject };
    const cookies = this.cookies.keep(scannerProof, proof, { key: login.id, present: request.cookies });
    return { ...this.pages.show(login, proof, request), cookies };
  }

  private again(code: ScannedCode, loginId: string, { cookies }: IamRequest): IamResponse {
    const { provider, scene } = code;
    const isProven = this.cookies.find(scannerProof, loginId, cookies) !== null;
    return redirect(
      isProven ? this.pages.addressOf({ provider, loginId }) : this.urls.path(pathOf(provider, scene)),
      303,
    );
  }
}

/** A scene that no login has counts as a guess. */
const sceneFailures = {
  ofThrown: failureOf,
  ofResult: (shown: IamResponse | null) => (shown === null ? ('not_found' as const) : null),
};

function pathOf(provider: string, scene: string): string {
  return `scan/${provider}?s=${scene}`;
}

/** No scan can change it any more, whoever scans. */
function isOver(state: QrState): boolean {
  return state === 'expired' || state === 'failed';
}
