import { Inject, Injectable, Optional } from '@nestjs/common';
import { Forgeries } from '../database/forgeries.service.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Clock } from '../runtime/clock.js';
import type { Attempt } from '../sign-in/attempt-cookies.service.js';
import { BrowserSessions, type SignedInBrowser } from '../sign-in/browser-sessions.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { type AuthorizeRequest, SIGN_IN_CHOOSER, type SignInChooser } from './authorize-request.js';
import { ClientReturns, type ProvenSignIn, type WayBack } from './client-returns.service.js';
import { Clients } from './clients/clients.service.js';
import { IdTokenHints } from './openid/id-token-hints.service.js';
import { SignInMethods } from './registration.js';

/** What the client may go past WeChat with. */
type Entering = Pick<Attempt, 'clientId' | 'redirectUri' | 'request'>;

/** Brings a person who is signed in in this browser to a client with `sso`, without WeChat. */
@Injectable()
export class SingleSignOn {
  constructor(
    private readonly registry: ClientRegistry,
    private readonly clients: Clients,
    private readonly browsers: BrowserSessions,
    private readonly providers: IdentityProviders,
    private readonly methods: SignInMethods,
    private readonly returns: ClientReturns,
    private readonly hints: IdTokenHints,
    private readonly logins: Logins,
    private readonly forgeries: Forgeries,
    private readonly clock: Clock,
    @Optional() @Inject(SIGN_IN_CHOOSER) private readonly chooser?: SignInChooser,
  ) {}

  /**
   * The way back with a code; null where WeChat must be asked. One statement, and one more for a hint with another user id.
   * @throws IamError `login_required`, `interaction_required` or `consent_required` where the client forbids to ask (`prompt=none`),
   * `rate_limited`
   */
  async enter(request: IamRequest, entering: Entering, wish: AuthorizeRequest): Promise<WayBack | null> {
    const mustNotAsk = wish.prompt?.includes('none') === true;
    const found = await this.tryToEnter(request, entering, wish);
    if (typeof found !== 'string') return found;
    if (mustNotAsk) throw new IamError(found, `client "${entering.clientId}" with prompt=none`);
    return null;
  }

  /**
   * The way back of a sign-in that WeChat has just proven; the browser stays signed in where the client has `sso`.
   * @throws IamError `login_required` for another person than the client means
   */
  async arrive(signIn: ProvenSignIn & { readonly attempt: Attempt }): Promise<WayBack> {
    const { loginId, attempt, request } = signIn;
    const { clientId, consent, request: asked } = attempt;
    if (asked?.idTokenHint !== undefined)
      await this.logins.requireSamePerson(loginId, this.hints.userOf(asked.idTokenHint, clientId), attempt);
    const back = await this.returns.withCode(signIn);
    if (this.registry.find(clientId)?.hasSso !== true) return back;
    // Last, for an error hands out no cookie, and the browser would lose what it has.
    const hasFollowed = attempt.followLoginId !== undefined || attempt.method === 'follow';
    const cookies = await this.browsers.begin({ loginId, hasFollowed, consent }, request);
    return { ...back, cookies: [...cookies, ...back.cookies] };
  }

  /** The error code says why not. */
  private async tryToEnter(
    request: IamRequest,
    entering: Entering,
    wish: AuthorizeRequest,
  ): Promise<WayBack | IamErrorCode> {
    const browser = await this.findBrowser(request, entering, wish);
    if (browser === null) return 'login_required';
    if (!(await this.isAdmitted(browser, entering, wish))) return 'interaction_required';
    if (!this.hasAgreed(browser, request, wish)) return 'consent_required';
    const { clientId, redirectUri } = entering;
    const attempt = { ...entering, clientState: wish.state, codeChallenge: wish.code_challenge };
    const isThirdParty = this.registry.find(clientId)?.isFirstParty === false;
    const needsConsent = isThirdParty && wish.prompt?.includes('none') === true;
    // A page may send its visitor here without end, from many addresses, and each time that succeeds leaves a login and an audit entry.
    this.forgeries.count({ ...request.origin, ip: null }, browser.id, 'single_sign_on');
    const entered = await this.browsers.enter(browser, { ...attempt, needsConsent }, request.origin);
    if (typeof entered === 'string') return entered;
    return this.returns.withCode({ ...entered, attempt: { ...attempt, clientId, redirectUri }, request });
  }

  /** Whose proof is recent enough, and who is the person whom the client means. */
  private async findBrowser(
    { cookies }: IamRequest,
    { clientId, request: asked }: Entering,
    { prompt = [], max_age: maxAge, display, from, follow_proof: proof }: AuthorizeRequest,
  ): Promise<SignedInBrowser | null> {
    const asksAnyway = prompt.includes('login') || prompt.includes('select_account');
    const isAnotherStep = display === 'widget' || from !== undefined || proof !== undefined;
    if (this.registry.find(clientId)?.hasSso !== true || asksAnyway || isAnotherStep) return null;
    const browser = this.browsers.find(cookies);
    if (browser === null) return null;
    // The clocks of this process and of PostgreSQL differ a little: 0 means always.
    const age = this.clock.now() - browser.authTime;
    const isTooOld = maxAge === 0 || (maxAge !== undefined && age > maxAge * 1000);
    const hint = asked?.idTokenHint;
    const meant = hint === undefined ? browser.userId : this.hints.userOf(hint, clientId);
    return !isTooOld && (await this.hints.isSamePerson(meant, browser.userId)) ? browser : null;
  }

  /** Whether the client, the request and the provider's row as it is now let the person come in as they did. */
  private async isAdmitted(
    { provider: slug, method, hasFollowed }: SignedInBrowser,
    { clientId }: Entering,
    { provider: requested = slug }: AuthorizeRequest,
  ): Promise<boolean> {
    if (requested !== slug || !this.clients.admits(clientId, slug)) return false;
    const provider = (await this.providers.listEnabled()).find((each) => each.slug === slug);
    return provider !== undefined && this.methods.get(method).problemOf(provider, hasFollowed) === null;
  }

  private hasAgreed(
    { consent }: SignedInBrowser,
    { cookies }: IamRequest,
    { code_challenge: codeChallenge }: AuthorizeRequest,
  ): boolean {
    const { chooser } = this;
    if (chooser?.requiresConsent !== true) return true;
    const isInForce = consent !== undefined && chooser.isInForce(consent);
    return isInForce || chooser.findConsent(codeChallenge, cookies) !== undefined;
  }
}
