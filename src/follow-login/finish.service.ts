import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { toErrorCode, errorCatalogue, IamError, type IamErrorCode } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import { type IamResponse, json } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/zod.pipe.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { type ClientReturn, codeLocation, errorLocation, linkedLocation } from '../oauth/clients.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { setActor } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { CodeExchange } from '../sign-in/code-exchange.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { type Attempt, attemptHash } from '../sign-in/attempt-cookies.service.js';
import { Profiles } from '../users/profiles.service.js';
import { FollowTokens } from './codes-and-tokens.service.js';
import { FollowerResolver } from './collect.service.js';
import { type FollowLogin, followStateOf, linkOf } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { followPage } from './follow-page.js';
import { FollowStart } from './follow-start.service.js';
import { LoginWatch } from './login-watch.service.js';

/** The attempts of the module's own pages: sealed cookies, so only the browser that started one has it. */
@Injectable()
export class FollowAttempts {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly cookies: AttemptCookies,
    private readonly clock: Clock,
  ) {}

  /** The attempt of a state. @throws IamError `state_mismatch`, or `state_expired` for one kept longer than a browser would */
  get(state: string, { cookies }: IamRequest): Attempt {
    const attempt = this.cookies.find(state, cookies);
    if (attempt?.method !== 'follow')
      throw new IamError('state_mismatch', 'this browser has no such attempt');
    if (this.secondsLeft(attempt) < 1)
      throw new IamError('state_expired', 'the attempt was started too long ago');
    return attempt;
  }

  /** Whole seconds until the attempt ends. */
  secondsLeft({ startedAt }: Attempt): number {
    return Math.floor((startedAt - this.clock.now()) / 1000) + this.options.loginLifetime;
  }
}

/** The query of `GET /follow`. */
export const linkPageQuery = z.object({ state: z.string().max(64) });

/** An attempt of somebody who is signed in and links another identity. */
export type LinkAttempt = Attempt & { readonly link: ActingSession };

/** Where the browser goes, and what it takes along. */
export interface Departure {
  readonly location: string;
  readonly cookies?: readonly string[];
}

/** Links another identity by the confirmed scan of a PC: what a sign-in does with its scan, for somebody who is signed in. */
@Injectable()
export class FollowLink {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly attempts: FollowAttempts,
    private readonly cookies: AttemptCookies,
    private readonly profiles: Profiles,
    private readonly providers: IdentityProviders,
    private readonly codes: CodeExchange,
    private readonly follower: FollowerResolver,
    private readonly follows: FollowLogins,
    private readonly links: IdentityLinks,
    private readonly watch: LoginWatch,
    private readonly urls: IamUrls,
    private readonly clock: Clock,
  ) {}

  /** The page with the QR code. Everything but the name of its cookie is in the cookie. */
  async page(request: IamRequest): Promise<IamResponse> {
    const { link, state } = this.attempts.get(parseInput(linkPageQuery, request.query).state, request);
    if (link === undefined) throw new IamError('state_mismatch', 'the attempt is a sign-in');
    return followPage({
      language: request.language,
      siteName: this.options.siteName,
      state,
      startUrl: this.urls.path('follow'),
      finishUrl: this.urls.path('follow/finish'),
      link: { nickname: await this.profiles.findNickname(link.userId) },
    });
  }

  /** Links the scanner, or goes on to the Open Platform where the row says so; asked again, it gives the same answer. */
  async nextLocation(
    login: FollowLogin,
    attempt: LinkAttempt,
    to: ClientReturn,
    request: IamRequest,
  ): Promise<Departure> {
    setActor(`user:${attempt.link.userId}`, attempt.link.sessionId);
    if (login.linked_identity_id !== null) return { location: linkedLocation(to, login.linked_identity_id) };
    const provider = await this.providers.getEnabled(login.provider);
    if (provider.qr.loginWith === 'open') return this.openStep(login, provider, attempt, request);
    return { location: linkedLocation(to, await this.link(login, provider, attempt)) };
  }

  /** What the row says in the end is the answer: another request, or a COMMIT whose answer was lost, may have linked. */
  private async link(login: FollowLogin, provider: IdentityProvider, attempt: LinkAttempt): Promise<string> {
    const { link } = attempt;
    try {
      const { subject } = await this.follower.read(login, provider);
      const proven = { subject, link, clientId: attempt.clientId };
      const { id } = await this.links.finish(proven, (manager, linked) =>
        this.follows.recordLink(manager, { ...linked, loginId: login.id }),
      );
      return id;
    } catch (thrown) {
      const error = toIamError(thrown);
      if (errorCatalogue[error.code].status < 500) await this.follows.fail(login, error.code);
      const linkedId = (await this.follows.find(login.id))?.linked_identity_id ?? null;
      if (linkedId === null) throw error;
      return linkedId;
    } finally {
      this.watch.forget(login.id);
    }
  }

  /** The redirect link of the Open Platform, whose callback takes the scan as the proof of the follow. */
  private openStep(
    login: FollowLogin,
    provider: IdentityProvider,
    attempt: LinkAttempt,
    { language, cookies }: IamRequest,
  ): Departure {
    if (provider.open === null)
      throw new IamError('wechat_open_not_configured', `"${provider.slug}" has no Open Platform app`);
    const app = provider.open;
    const { appid } = app;
    const state = randomAlphanumeric(43);
    const step = { ...attempt, state, method: 'open', appid, followLoginId: login.id } as const;
    const lang = language === 'en' ? 'en' : 'zh_CN';
    const location = this.codes.authorizeUrl({ provider, app }, { state, lang });
    return { location, cookies: this.cookies.start({ ...step, startedAt: this.clock.now() }, cookies) };
  }
}

/** What the sign-in page posts for a QR code. */
export const startBody = z.object({ state: z.string().max(64) });
/** What the sign-in page posts to go on. */
export const finishBody = startBody.extend({ device_code: z.string().max(256) });

/** What the page with the QR code calls. Its attempt is the sealed cookie that the start set, so only that browser can. */
@Injectable()
export class FollowSignIn {
  private readonly logger = new IamLogger(FollowSignIn.name);

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly attempts: FollowAttempts,
    private readonly attemptCookies: AttemptCookies,
    private readonly starts: FollowStart,
    private readonly watch: LoginWatch,
    private readonly follower: FollowerResolver,
    private readonly providers: IdentityProviders,
    private readonly logins: Logins,
    private readonly links: FollowLink,
    private readonly tokens: FollowTokens,
    private readonly urls: IamUrls,
  ) {}

  /** A new QR code for the page's attempt; a person who lets one expire asks again. */
  async start(request: IamRequest): Promise<IamResponse> {
    const attempt = this.attempts.get(parseInput(startBody, request.body).state, request);
    const { provider, clientId, redirectUri, codeChallenge, link, state } = attempt;
    return json(
      await this.starts.begin({
        provider,
        clientId,
        redirectUri,
        codeChallenge,
        attemptHash: attemptHash(state),
        attemptSeconds: this.attempts.secondsLeft(attempt),
        link,
        origin: request.origin,
      }),
    );
  }

  /** The state of the scan, and once it is confirmed where the browser goes. */
  async finish(request: IamRequest): Promise<IamResponse> {
    const { state, device_code } = parseInput(finishBody, request.body);
    const attempt = this.attempts.get(state, request);
    const login = await this.loginOf(device_code, attempt);
    const status = followStateOf(login);
    if (status === 'confirmed' || login.linked_identity_id !== null) {
      const { location, cookies = [] } = await this.nextLocation(login, attempt, request);
      return { ...json({ status: 'confirmed', location }), cookies };
    }
    const error = status === 'failed' ? toErrorCode(login.error) : 'access_denied';
    return json({ status, return_to: errorLocation(this.returnTo(attempt), error) });
  }

  /** A scan for a sign-in links nothing, and a scan for a link signs nobody in. */
  private async loginOf(deviceCode: string, attempt: Attempt): Promise<FollowLogin> {
    const loginId = this.tokens.read('device-code', deviceCode);
    const login = loginId === null ? null : await this.watch.current(loginId);
    const isOfAttempt =
      login?.attempt_hash === attemptHash(attempt.state) &&
      linkOf(login)?.userId === attempt.link?.userId &&
      linkOf(login)?.sessionId === attempt.link?.sessionId;
    if (!isOfAttempt) throw new IamError('state_mismatch', 'not a login of this attempt');
    return login;
  }

  private async nextLocation(login: FollowLogin, attempt: Attempt, request: IamRequest): Promise<Departure> {
    try {
      if (isLink(attempt))
        return await this.links.nextLocation(login, attempt, this.returnTo(attempt), request);
      const location = await this.signIn(login, attempt);
      return { location, cookies: this.attemptCookies.finishForBinding(attempt.state, request.cookies) };
    } catch (thrown) {
      return { location: errorLocation(this.returnTo(attempt), this.report(thrown)) };
    }
  }

  private async signIn(login: FollowLogin, attempt: Attempt): Promise<string> {
    const provider = await this.providers.getEnabled(login.provider);
    if (provider.qr.loginWith === 'open') return this.openStep(login, attempt);
    await this.follower.identify(login, provider);
    return codeLocation(this.returnTo(attempt), this.logins.mintCode(login.id));
  }

  /** The same authorization request again, now with the proof of the follow. */
  private openStep(login: FollowLogin, attempt: Attempt): string {
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: attempt.clientId,
      redirect_uri: attempt.redirectUri,
      ...(attempt.clientState !== undefined && { state: attempt.clientState }),
      code_challenge: attempt.codeChallenge,
      code_challenge_method: 'S256',
      provider: attempt.provider,
      method: 'open',
      follow_proof: this.tokens.mint('follow-proof', login.id),
    });
    return this.urls.endpoint(`authorize?${parameters.toString()}`);
  }

  private report(thrown: unknown): IamErrorCode {
    const error = toIamError(thrown);
    this.logger.warn(`follow-to-login failed: ${error.message}`);
    return error.code;
  }

  private returnTo({ redirectUri, clientState }: Attempt) {
    return { redirectUri, clientState, issuer: this.options.publicUrl };
  }
}

function isLink(attempt: Attempt): attempt is LinkAttempt {
  return attempt.link !== undefined;
}
