import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { errorCatalogue, IamError, toErrorCode } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { AttemptCookies, type Attempt, attemptHash } from '../sign-in/attempt-cookies.service.js';
import { type ClientReturn, codeLocation, errorLocation, linkedLocation } from '../oauth/clients.service.js';
import { SignInMethods } from '../oauth/registration.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { setActor } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { FollowTokens } from './codes-and-tokens.service.js';
import { FollowerResolver, FollowProof } from './collect.service.js';
import { type FollowLogin, followStateOf, linkOf } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { LoginWatch } from './login-watch.service.js';

/** The attempts that a browser carries, and its language. */
type AttemptBrowser = Pick<IamRequest, 'cookies' | 'language'>;

/** An attempt of a signed-in user to link another identity. */
type LinkAttempt = Attempt & { readonly link: ActingSession };

/** Where the browser goes, and the `Set-Cookie` values that go with it. */
interface NextStep {
  readonly location: string;
  readonly cookies?: readonly string[];
}

/** `POST /follow/finish`: where the browser goes once the scan is confirmed, else where it may give up to. */
export const followFinishResponse = z.union([
  z.object({ status: z.literal('confirmed'), location: z.string() }),
  z.object({
    status: z.enum(['pending', 'scanned', 'denied', 'expired', 'failed', 'done']),
    return_to: z.string(),
  }),
]);

/** The response, and its cookies. */
type Finish = z.infer<typeof followFinishResponse> & Pick<NextStep, 'cookies'>;

/** Links another identity of a signed-in user by the confirmed scan of a PC. */
@Injectable()
export class FollowLink {
  constructor(
    private readonly attempts: AttemptCookies,
    private readonly providers: IdentityProviders,
    private readonly methods: SignInMethods,
    private readonly follower: FollowerResolver,
    private readonly follows: FollowLogins,
    private readonly links: IdentityLinks,
    private readonly watch: LoginWatch,
    private readonly clock: Clock,
  ) {}

  /** Links the scanner, or goes on to the Open Platform where the row says so; a repeated request gets the same response. */
  async nextStep(
    login: FollowLogin,
    attempt: LinkAttempt,
    to: ClientReturn,
    browser: AttemptBrowser,
  ): Promise<NextStep> {
    setActor(`user:${attempt.link.userId}`, attempt.link.sessionId);
    if (login.linked_identity_id !== null) return { location: linkedLocation(to, login.linked_identity_id) };
    const provider = await this.providers.getEnabled(login.provider);
    if (provider.qr.loginWith === 'open') return this.openStep(login, provider, attempt, browser);
    return { location: linkedLocation(to, await this.link(login, provider, attempt)) };
  }

  /** The row decides in the end: another request may have linked, or a COMMIT whose response was lost. */
  private async link(login: FollowLogin, provider: IdentityProvider, attempt: LinkAttempt): Promise<string> {
    const { link, clientId } = attempt;
    try {
      const { subject } = await this.follower.read(login, provider);
      const { id } = await this.links.finish({ subject, link, clientId }, (manager, linked) =>
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
    { language, cookies }: AttemptBrowser,
  ): NextStep {
    if (provider.open === null)
      throw new IamError('wechat_open_not_configured', `"${provider.slug}" has no Open Platform app`);
    const step = {
      ...attempt,
      state: randomAlphanumeric(43),
      method: 'open',
      appid: provider.open.appid,
      followLoginId: login.id,
      startedAt: this.clock.now(),
    };
    const location = this.methods.get('open').location({ attempt: step, provider, language });
    return { location, cookies: this.attempts.start(step, cookies) };
  }
}

/** What the page with the QR code waits for. Its attempt is the sealed cookie that the start set, so only that browser can. */
@Injectable()
export class FollowSignIn {
  private readonly logger = new IamLogger(FollowSignIn.name);

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly attempts: AttemptCookies,
    private readonly watch: LoginWatch,
    private readonly follower: FollowerResolver,
    private readonly proof: FollowProof,
    private readonly providers: IdentityProviders,
    private readonly logins: Logins,
    private readonly links: FollowLink,
    private readonly tokens: FollowTokens,
    private readonly clock: Clock,
  ) {}

  /** The attempt of a state. @throws IamError `state_mismatch`, or `state_expired` for one kept longer than a browser would */
  attempt(state: string, cookies: IamRequest['cookies']): Attempt {
    const attempt = this.attempts.find(state, cookies);
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

  /** The state of the scan, and once it is confirmed where the browser goes. */
  async finish(attempt: Attempt, deviceCode: string, browser: AttemptBrowser): Promise<Finish> {
    const login = await this.loginOf(deviceCode, attempt);
    const status = followStateOf(login);
    if (status === 'confirmed' || login.linked_identity_id !== null)
      return { status: 'confirmed', ...(await this.nextStep(login, attempt, browser)) };
    const error = status === 'failed' ? toErrorCode(login.error) : 'access_denied';
    return { status, return_to: errorLocation(this.returnTo(attempt), error) };
  }

  /** A scan for a sign-in links nothing, and a scan for a link begins no session. */
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

  private async nextStep(login: FollowLogin, attempt: Attempt, browser: AttemptBrowser): Promise<NextStep> {
    const to = this.returnTo(attempt);
    try {
      if (isLink(attempt)) return await this.links.nextStep(login, attempt, to, browser);
      const location = await this.signIn(login, attempt);
      return { location, cookies: this.attempts.finishForBinding(attempt.state, browser.cookies) };
    } catch (thrown) {
      const error = toIamError(thrown);
      this.logger.warn(`follow-to-login failed: ${error.message}`);
      return { location: errorLocation(to, error.code) };
    }
  }

  /** A code, or the same authorization request again with the proof of the follow. */
  private async signIn(login: FollowLogin, attempt: Attempt): Promise<string> {
    const provider = await this.providers.getEnabled(login.provider);
    if (provider.qr.loginWith === 'open') {
      const { redirectUri, clientState, codeChallenge } = attempt;
      return this.proof.authorizeUri(login, {
        redirect_uri: redirectUri,
        ...(clientState !== undefined && { state: clientState }),
        code_challenge: codeChallenge,
      });
    }
    await this.follower.identify(login, provider);
    return codeLocation(this.returnTo(attempt), this.logins.mintCode(login.id));
  }

  private returnTo({ redirectUri, clientState }: Attempt): ClientReturn {
    return { redirectUri, clientState, issuer: this.options.publicUrl };
  }
}

function isLink(attempt: Attempt): attempt is LinkAttempt {
  return attempt.link !== undefined;
}
