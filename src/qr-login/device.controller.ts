import { Get, Inject, Post } from '@nestjs/common';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Incoming, Body, ZodPipe } from '../http/parameter.decorators.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import { z } from 'zod';
import { pkceChallenge } from '../crypto/hash.js';
import { randomAlphanumeric } from '../crypto/random.js';
import {
  type DeviceVisit,
  deviceVisit,
  PageCookies,
  THINK_SECONDS,
} from '../sign-in/page-cookies.service.js';
import {
  deviceEndingOf,
  deviceEndPage,
  deviceFormPage,
  devicePageTexts,
  deviceQuestionPage,
} from './device-page.js';
import { LoginTokens, readUserCode, showUserCode } from './codes-and-tokens.service.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { redirect, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { failureOf, toIamError } from '../http/to-iam-error.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { DeviceDecisions } from './device-decisions.service.js';
import { qrStateOf, type QrLogin } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';
import { LoginWatch } from './login-watch.service.js';
import { Redemption } from '../sign-in/redemption.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { parseAuthorizeRequest } from '../oauth/authorize-request.js';
import { Authorize } from '../oauth/authorize.service.js';

const form = 'application/x-www-form-urlencoded';
/** The form with the code. */
const userCodeBody = z.object({ user_code: z.string().max(64) });
/** The form with the decision. */
const deviceDecisionBody = z.object({
  device: z.string().max(256),
  csrf: z.string().max(128),
  decision: z.enum(['confirm', 'deny']),
});

/** A device whose code was typed in this browser. */
interface Visit {
  readonly token: string;
  readonly visit: DeviceVisit;
  readonly login: QrLogin;
}

/**
 * The page on which a person types the code of a device (RFC 8628 §3.3), signs in as on any start of the device's client, and
 * decides. What was typed is kept in a sealed cookie, so that no link leads past the typing.
 */
@PublicController('device')
export class DeviceController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly decisions: DeviceDecisions,
    private readonly logins: QrLogins,
    private readonly watch: LoginWatch,
    private readonly redemption: Redemption,
    private readonly authorize: Authorize,
    private readonly cookies: PageCookies,
    private readonly tokens: LoginTokens,
    private readonly failures: FailureLimits,
    private readonly urls: IamUrls,
    private readonly registry: ClientRegistry,
  ) {}

  /** The form, the question about one device, or the return of a sign-in. */
  @Endpoint({
    summary: 'The page on which the code of a device is typed, and its question (RFC 8628 §3.3)',
    query: z.object({ user_code: z.string().optional().meta({ description: 'Fills the form' }) }),
    responses: { 200: 'text/html', 303: null },
  })
  @Get()
  async show(@Incoming() request: IamRequest): Promise<IamResponse> {
    const { state, code, device, user_code: typed } = request.query;
    const found = await this.find(state ?? device, request);
    if (found === null) return this.form(request, { typed: typeof typed === 'string' ? typed : undefined });
    if (state === undefined) return this.page(found, request, null);
    return typeof code === 'string'
      ? this.arrive(found, code, request)
      : this.toPage(found.token, [], '&problem=1');
  }

  /** Looks the typed code up; wrong ones are limited like other guesses (RFC 8628 §5.1). */
  @Endpoint({
    summary: "For the module's own device page: the typed code",
    responses: { 200: 'text/html', 303: null },
    errors: ['origin_forbidden', 'rate_limited'],
  })
  @Post()
  async enter(
    @Body(new ZodPipe(userCodeBody, form)) { user_code: typed }: z.infer<typeof userCodeBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    this.cookies.requireOwnSite(request);
    const code = readUserCode(typed);
    const by = { origin: request.origin, at: 'device' };
    try {
      const login = await this.failures.guard(by, codeFailures, async () =>
        code === null ? null : this.logins.findByCode(code),
      );
      if (login === null || isOver(login)) return this.form(request, { typed, problem: 'wrong' });
      const token = this.tokens.mint('device-page', login.id);
      const known = this.cookies.find(deviceVisit, login.id, request.cookies);
      const visit = known ?? { loginId: login.id, verifier: randomAlphanumeric(43) };
      return this.toPage(token, this.keep(visit, request));
    } catch (thrown) {
      const { code: failure, retryAfterSeconds } = toIamError(thrown);
      if (failure !== 'rate_limited') throw thrown;
      const response = this.form(request, { typed, problem: 'limited' });
      return {
        ...response,
        headers: { ...response.headers, 'Retry-After': String(retryAfterSeconds ?? 60) },
      };
    }
  }

  /** Starts a sign-in of the device's client that comes back to this page. */
  @Endpoint({
    summary: "For the module's own device page: a sign-in that comes back to it",
    query: z.object({ device: z.string() }),
    responses: { 200: 'text/html', 302: null, 303: null },
  })
  @Get('sign-in')
  async signIn(@Incoming() request: IamRequest): Promise<IamResponse> {
    const found = await this.find(request.query['device'], request);
    if (found === null) return redirect(this.url(), 303);
    const { token, visit, login } = found;
    if (qrStateOf(login) !== 'pending') return this.toPage(token);
    const back = { clientId: login.client_id, redirectUri: this.returnUri() };
    const parameters = parseAuthorizeRequest({
      response_type: 'code',
      state: token,
      code_challenge: pkceChallenge(visit.verifier),
      code_challenge_method: 'S256',
    });
    try {
      return await this.authorize.begin(request, back, { ...parameters, provider: login.provider });
    } catch (thrown) {
      return this.page(found, request, errorTexts[toIamError(thrown).code][request.language]);
    }
  }

  /** Takes the decision; only what was signed in here, in this browser, can be handed over. */
  @Endpoint({
    summary: "For the module's own device page: the decision",
    responses: { 303: null },
    errors: ['origin_forbidden'],
  })
  @Post('decision')
  async decide(
    @Body(new ZodPipe(deviceDecisionBody, form)) body: z.infer<typeof deviceDecisionBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const { device, csrf, decision } = body;
    const found = await this.find(device, request);
    if (found === null) return redirect(this.url(), 303);
    const { token, visit, login } = found;
    const { signInId } = this.cookies.requireOwnForm(visit, csrf, request);
    if (decision === 'confirm' && signInId === undefined) return this.toPage(token);
    const isDone =
      decision === 'confirm' && signInId !== undefined
        ? await this.decisions.approve(login, signInId)
        : await this.decisions.deny(login);
    this.watch.hint(login.id);
    return this.toPage(token, isDone ? this.keep({ ...visit, decision }, request) : []);
  }

  private async find(token: unknown, { cookies }: IamRequest): Promise<Visit | null> {
    const loginId = typeof token === 'string' ? this.tokens.read('device-page', token) : null;
    const visit = loginId === null ? null : this.cookies.find(deviceVisit, loginId, cookies);
    const login = visit === null ? null : await this.logins.find(visit.loginId);
    return typeof token !== 'string' || visit === null || login === null ? null : { token, visit, login };
  }

  /** The code is held rather than redeemed: its session is the device's. A page loaded again finds it held already. */
  private async arrive(
    { token, visit, login }: Visit,
    code: string,
    request: IamRequest,
  ): Promise<IamResponse> {
    const { client_id: clientId } = login;
    const redemption = { code, clientId, redirectUri: this.returnUri(), codeVerifier: visit.verifier };
    try {
      const signInId = await this.redemption.holdCode(redemption, THINK_SECONDS);
      return this.toPage(token, this.keep({ ...visit, signInId }, request));
    } catch (thrown) {
      if (toIamError(thrown).code !== 'invalid_grant') throw thrown;
      return this.toPage(token, [], '&problem=1');
    }
  }

  private async page(
    { token, visit, login }: Visit,
    request: IamRequest,
    problem: string | null,
  ): Promise<IamResponse> {
    const { language } = request;
    const ending = deviceEndingOf(login, visit);
    if (ending !== null) return deviceEndPage(language, ending, this.url());
    const failed = request.query['problem'] === undefined ? null : devicePageTexts[language].failed;
    return deviceQuestionPage({
      language,
      siteName: this.options.siteName,
      application: this.registry.nameOf(login.client_id),
      login,
      action: this.urls.path('device/decision'),
      fields: { device: token, csrf: this.cookies.csrfOf(visit) },
      code: showUserCode(this.tokens.userCodeOf(login) ?? ''),
      signInUrl: this.urls.path(`device/sign-in?device=${token}`),
      person: visit.signInId === undefined ? null : await this.decisions.findPerson(visit.signInId),
      problem: problem ?? failed,
    });
  }

  private form(
    { language }: IamRequest,
    how: { readonly typed?: string | undefined; readonly problem?: 'wrong' | 'limited' },
  ): IamResponse {
    return deviceFormPage({ language, siteName: this.options.siteName, action: this.url(), ...how });
  }

  private keep(visit: DeviceVisit, { cookies: present }: IamRequest): string[] {
    return this.cookies.keep(deviceVisit, visit, { key: visit.loginId, present });
  }

  private toPage(token: string, cookies: readonly string[] = [], more = ''): IamResponse {
    return redirect(`${this.url()}?device=${token}${more}`, 303, cookies);
  }

  private url(): string {
    return this.urls.path('device');
  }

  private returnUri(): string {
    return this.urls.endpoint('device');
  }
}

/** A code that no device shows counts as a guess. */
const codeFailures = {
  ofThrown: failureOf,
  ofResult: (login: QrLogin | null) => (login === null ? ('not_found' as const) : null),
};

function isOver(login: QrLogin): boolean {
  return ['expired', 'failed'].includes(qrStateOf(login));
}
