import { Injectable } from '@nestjs/common';
import { randomAlphanumeric } from '../crypto/random.js';
import { IamError } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { ClientReturns, type WayBack } from '../oauth/client-returns.service.js';
import { SignInMethods } from '../oauth/registration.js';
import { Clock } from '../runtime/clock.js';
import { setActor } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { AttemptCookies, type Attempt } from '../sign-in/attempt-cookies.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { ScannerResolver } from './collect.service.js';
import type { QrLogin } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';
import { LoginWatch } from './login-watch.service.js';

/** An attempt of a signed-in user to link another identity. */
type LinkAttempt = Attempt & { readonly link: ActingSession };

/** Links another identity of a signed-in user by the confirmed scan of a PC. */
@Injectable()
export class QrLink {
  constructor(
    private readonly attempts: AttemptCookies,
    private readonly returns: ClientReturns,
    private readonly providers: IdentityProviders,
    private readonly methods: SignInMethods,
    private readonly scanners: ScannerResolver,
    private readonly logins: QrLogins,
    private readonly links: IdentityLinks,
    private readonly watch: LoginWatch,
    private readonly clock: Clock,
  ) {}

  /** Links the scanner, or goes on to the Open Platform where the row says so; a repeated request gets the same response. */
  async nextStep(login: QrLogin, attempt: LinkAttempt, request: IamRequest): Promise<WayBack> {
    setActor(`user:${attempt.link.userId}`, attempt.link.sessionId);
    if (login.linked_identity_id !== null)
      return { location: this.returns.linkedLocation(attempt, login.linked_identity_id), cookies: [] };
    const provider = await this.providers.getEnabled(login.provider);
    // The step is the row's for those who follow: a scan of another way proves no follow.
    const follows = this.methods.get(login.method).openStep !== undefined;
    if (follows && provider.qr.loginWith === 'open') return this.openStep(login, provider, attempt, request);
    const identityId = await this.link(login, provider, attempt);
    return { location: this.returns.linkedLocation(attempt, identityId), cookies: [] };
  }

  /** The row decides in the end: another request may have linked, or a COMMIT whose response was lost. */
  private async link(
    login: QrLogin,
    provider: IdentityProvider,
    { link, clientId }: LinkAttempt,
  ): Promise<string> {
    try {
      return await this.scanners.unlessRefused(login, async () => {
        const subject = await this.scanners.read(login, provider);
        const linked = await this.links.finish({ subject, link, clientId }, (manager, linked) =>
          this.logins.recordLink(manager, { ...linked, loginId: login.id }),
        );
        return linked.id;
      });
    } catch (error) {
      const linkedId = (await this.logins.find(login.id))?.linked_identity_id ?? null;
      if (linkedId === null) throw error;
      return linkedId;
    } finally {
      this.watch.forget(login.id);
    }
  }

  /** The redirect link of the Open Platform, whose callback takes the scan as the proof of the follow. */
  private openStep(
    login: QrLogin,
    provider: IdentityProvider,
    attempt: LinkAttempt,
    { language, cookies }: IamRequest,
  ): WayBack {
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
