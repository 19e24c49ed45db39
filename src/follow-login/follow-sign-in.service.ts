import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { json, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/parse-input.js';
import { toIamError } from '../http/to-iam-error.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { toErrorCode, IamError, type IamErrorCode } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { followStateOf, linkOf, type FollowLogin } from './follow-login.js';
import { LoginWatch } from './login-watch.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { attemptHash, type Attempt } from '../sign-in/sealed-attempt.js';
import { AttemptCookies } from '../oauth/attempt-cookies.service.js';
import { codeLocation, errorLocation } from '../oauth/client-redirect.js';
import { FollowAttempts } from './follow-attempts.service.js';
import { FollowLink, type Departure, type LinkAttempt } from './follow-link.service.js';
import { FollowStart } from './follow-start.service.js';
import { FollowTokens } from './follow-tokens.service.js';
import { FollowerResolver } from './follower-resolver.service.js';

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
