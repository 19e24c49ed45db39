import { Get, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError, toErrorCode } from '../errors/iam.error.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { type IamResponse, json } from '../http/iam-response.js';
import { Incoming, Body, Query, ZodPipe } from '../http/parameter.decorators.js';
import { toIamError } from '../http/to-iam-error.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { ClientReturns, type WayBack } from '../oauth/client-returns.service.js';
import { Clients } from '../oauth/clients/clients.service.js';
import { SingleSignOn } from '../oauth/single-sign-on.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { PublicController } from '../http/endpoint-responses.service.js';
import {
  type Attempt,
  AttemptCookies,
  attemptHash,
  attemptParameters,
} from '../sign-in/attempt-cookies.service.js';
import { Profiles } from '../users/profiles.service.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { ScannerResolver } from './collect.service.js';
import { QrLink } from './qr-link.service.js';
import { type QrLogin, qrStateOf, isSameLink, linkOf } from './qr-login.js';
import {
  QrStart,
  type QrStarted,
  qrStartedExample,
  qrStartedResponse,
  qrStartErrors,
} from './qr-start.service.js';
import { LoginWatch } from './login-watch.service.js';
import { type QrWay, QrWays } from './qr-way.js';

/** Names the attempt, which is in the cookie of the browser that has started it. */
const attemptInput = z.object({ state: z.string().max(64) });
const finishBody = attemptInput.extend({ device_code: z.string().max(256) });

/** Where the browser goes once the scan is confirmed, else where it may give up to. */
const qrFinishResponse = z.union([
  z.object({ status: z.literal('confirmed'), location: z.string() }),
  z.object({
    status: z.enum(['pending', 'scanned', 'denied', 'expired', 'failed', 'done']),
    return_to: z.string(),
  }),
]);

/** The response to `finish`, and its cookies. */
type Finish = z.infer<typeof qrFinishResponse> & Pick<WayBack, 'cookies'>;

/** Endpoints of the module's own page on a PC. Its attempt is the sealed cookie that the start set, so only that browser can. */
@PublicController('follow')
export class QrPageController {
  private readonly logger = new IamLogger(QrPageController.name);

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly attempts: AttemptCookies,
    private readonly clients: Clients,
    private readonly returns: ClientReturns,
    private readonly starts: QrStart,
    private readonly watch: LoginWatch,
    private readonly scanners: ScannerResolver,
    private readonly ways: QrWays,
    private readonly providers: IdentityProviders,
    private readonly singleSignOn: SingleSignOn,
    private readonly links: QrLink,
    private readonly profiles: Profiles,
    private readonly tokens: LoginTokens,
    private readonly clock: Clock,
  ) {}

  @Endpoint({
    summary:
      "The module's own page to link another identity by a QR code; `/me/identities/authorize` leads to it",
    responses: { 200: 'text/html' },
    errors: ['state_mismatch', 'state_expired'],
  })
  @Get()
  async linkPage(
    @Query(new ZodPipe(attemptInput)) { state }: z.infer<typeof attemptInput>,
    @Incoming() { cookies, language }: IamRequest,
  ): Promise<IamResponse> {
    const { attempt, way } = this.attempt(state, cookies);
    const { link } = attempt;
    if (link === undefined) throw new IamError('state_mismatch', 'the attempt is a sign-in');
    const nickname = await this.profiles.findNickname(link.userId);
    return way.show(state, language, { account: { nickname } });
  }

  /** A person who lets a QR code expire gets another for the same attempt. */
  @Endpoint({
    summary: "For the module's own sign-in page: a new QR code",
    responses: { 200: qrStartedResponse },
    example: qrStartedExample,
    errors: ['state_mismatch', 'state_expired', 'invalid_token', ...qrStartErrors],
  })
  @Post()
  async start(
    @Body(new ZodPipe(attemptInput, 'form')) { state }: z.infer<typeof attemptInput>,
    @Incoming() { cookies, origin }: IamRequest,
  ): Promise<QrStarted> {
    const { attempt, way } = this.attempt(state, cookies);
    const { provider, clientId, redirectUri, codeChallenge, link, consent } = attempt;
    if (link === undefined) this.clients.require(clientId, { provider });
    return this.starts.begin({
      provider,
      method: way.name,
      clientId,
      redirectUri,
      codeChallenge,
      request: attempt.request,
      attemptHash: attemptHash(state),
      attemptSeconds: this.secondsLeft(attempt),
      link,
      consent,
      origin,
    });
  }

  @Endpoint({
    summary: "For the module's own sign-in page: the state, and where to go",
    responses: { 200: qrFinishResponse },
    example: { status: 'confirmed', location: 'https://app.example.com/signed-in?code=…&state=…&iss=…' },
    errors: ['state_mismatch', 'state_expired', 'redirect_uri_mismatch'],
  })
  @Post('finish')
  async finish(
    @Body(new ZodPipe(finishBody, 'form')) { state, device_code: deviceCode }: z.infer<typeof finishBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const { attempt } = this.attempt(state, request.cookies);
    this.clients.requireReturn(attempt);
    const login = await this.loginOf(deviceCode, attempt);
    const { cookies, ...body } = await this.outcome(login, attempt, request);
    return { ...json(body), cookies };
  }

  /** The attempt of a state. @throws IamError `state_mismatch`, or `state_expired` for one kept longer than a browser would */
  private attempt(
    state: string,
    cookies: IamRequest['cookies'],
  ): { readonly attempt: Attempt; readonly way: QrWay } {
    const attempt = this.attempts.find(state, cookies);
    const way = attempt === null ? null : this.ways.find(attempt.method);
    if (attempt === null || way === null)
      throw new IamError('state_mismatch', 'this browser has no such attempt');
    if (this.secondsLeft(attempt) < 1)
      throw new IamError('state_expired', 'the attempt was started too long ago');
    return { attempt, way };
  }

  /** Whole seconds until the attempt ends. */
  private secondsLeft({ startedAt }: Attempt): number {
    return Math.floor((startedAt - this.clock.now()) / 1000) + this.options.loginLifetime;
  }

  /** A scan for a sign-in links nothing, and a scan for a link begins no session. */
  private async loginOf(deviceCode: string, attempt: Attempt): Promise<QrLogin> {
    const loginId = this.tokens.read('device-code', deviceCode);
    const login = loginId === null ? null : await this.watch.current(loginId);
    const isOfAttempt =
      login?.attempt_hash === attemptHash(attempt.state) && isSameLink(linkOf(login), attempt.link);
    if (!isOfAttempt) throw new IamError('state_mismatch', 'not a login of this attempt');
    return login;
  }

  private async outcome(login: QrLogin, attempt: Attempt, request: IamRequest): Promise<Finish> {
    const status = qrStateOf(login);
    if (status !== 'confirmed' && login.linked_identity_id === null) {
      const error = status === 'failed' ? toErrorCode(login.error) : 'access_denied';
      return { status, return_to: this.returns.errorLocation(attempt, error), cookies: [] };
    }
    try {
      const next = await (attempt.link === undefined
        ? this.signIn(login, attempt, request)
        : this.links.nextStep(login, { ...attempt, link: attempt.link }, request));
      return { status: 'confirmed', ...next };
    } catch (thrown) {
      const error = toIamError(thrown);
      this.logger.warn(`sign-in by QR code failed: ${error.message}`);
      return {
        status: 'confirmed',
        location: this.returns.failureLocation(attempt, error.code),
        cookies: [],
      };
    }
  }

  /** A code, or the authorization request that the way goes on with. */
  private async signIn(login: QrLogin, attempt: Attempt, request: IamRequest): Promise<WayBack> {
    const { state, clientId, consent, isChosen } = attempt;
    const provider = await this.providers.getEnabled(login.provider);
    this.clients.require(clientId, { provider: login.provider });
    const cookies = this.attempts.finishForBinding(state, request.cookies);
    const location = this.ways.get(login.method).nextStep?.(login, provider, {
      ...attemptParameters(attempt),
      ...(isChosen === true && { from: 'chooser' }),
    });
    if (location != null) return { location, cookies };
    await this.scanners.identify(login, provider, consent);
    const back = await this.singleSignOn.arrive({ loginId: login.id, attempt, request });
    return { location: back.location, cookies: [...cookies, ...back.cookies] };
  }
}
