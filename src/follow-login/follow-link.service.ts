import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { randomAlphanumeric } from '../crypto/random.js';
import type { IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/parse-input.js';
import { toIamError } from '../http/to-iam-error.js';
import { errorCatalogue, IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { FollowLogin } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { LoginWatch } from './login-watch.service.js';
import type { Attempt } from '../sign-in/sealed-attempt.js';
import { AttemptCookies } from '../oauth/attempt-cookies.service.js';
import { linkedLocation, type ClientReturn } from '../oauth/client-redirect.js';
import { setActor } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { CodeExchange } from '../sign-in/code-exchange.service.js';
import { Profiles } from '../users/profiles.service.js';
import { FollowAttempts } from './follow-attempts.service.js';
import { followPage } from './follow-page.js';
import { FollowerResolver } from './follower-resolver.service.js';

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
      return (await this.links.finish(login.id, { subject, link, start: attempt })).id;
    } catch (thrown) {
      const error = toIamError(thrown);
      if (errorCatalogue[error.code].status < 500) await this.follows.fail({ ...login, link }, error.code);
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
