import { Inject, Injectable, Optional } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { localeOf } from '../http/user-agent.js';
import { type Attempt, attemptParameters } from '../sign-in/attempt-cookies.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { consentVisit, PageCookies } from '../sign-in/page-cookies.service.js';
import { SIGN_IN_CHOOSER, type SignInChooser } from './authorize-request.js';
import { ClientConsents, consentErrorOf } from './consent/client-consents.service.js';

/** Where a browser returns to its client. */
type ClientReturn = Pick<Attempt, 'redirectUri' | 'clientState'>;

/** A login that has proven its person: its row says `authenticated`. */
export interface ProvenSignIn {
  readonly loginId: string;
  /** The request that the browser began with. */
  readonly attempt: Pick<Attempt, 'clientId' | 'redirectUri' | 'clientState' | 'request'>;
  /** The browser's, which goes back now. */
  readonly request: IamRequest;
}

/** Where the browser goes, and the `Set-Cookie` values that go with it. */
export interface WayBack {
  readonly location: string;
  readonly cookies: readonly string[];
}

/** The way back to a client: every code and every error that a browser takes there passes here. */
@Injectable()
export class ClientReturns {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly consents: ClientConsents,
    private readonly logins: Logins,
    private readonly cookies: PageCookies,
    private readonly urls: IamUrls,
    @Optional() @Inject(SIGN_IN_CHOOSER) private readonly chooser?: SignInChooser,
  ) {}

  /** The return with the code of a login; to a third party's application perhaps over the page that asks for consent. */
  async withCode(signIn: ProvenSignIn): Promise<WayBack> {
    const { loginId, attempt } = signIn;
    if (this.registry.find(attempt.clientId)?.isFirstParty === false) return this.withConsent(signIn);
    return { location: this.codeLocation(attempt, loginId), cookies: [] };
  }

  /** RFC 6749 §4.1.2. */
  codeLocation(to: ClientReturn, loginId: string): string {
    return this.location(to, { code: this.logins.mintCode(loginId) });
  }

  /** The return of a link: the identity, and neither code nor token. */
  linkedLocation(to: ClientReturn, identityId: string): string {
    return this.location(to, { linked: identityId });
  }

  /** RFC 6749 §4.1.2.1. */
  errorLocation(to: ClientReturn, code: IamErrorCode): string {
    return this.location(to, { error: errorCatalogue[code].oauth, error_description: errorTexts[code].en });
  }

  /**
   * Where a browser goes whose attempt has failed: to choose another way where it chose this one, else back to the client, as a client
   * that means another person.
   */
  failureLocation(attempt: Attempt, code: IamErrorCode): string {
    if (attempt.isChosen !== true || this.chooser === undefined || code === 'login_required')
      return this.errorLocation(attempt, code);
    const parameters = {
      response_type: 'code',
      client_id: attempt.clientId,
      ...attemptParameters(attempt),
      code_challenge_method: 'S256',
    };
    return this.chooser.location(parameters, code);
  }

  /** Appends to the query and leaves the registered URI as it was written; with `iss` of RFC 9207. */
  private location({ redirectUri, clientState }: ClientReturn, parameters: Record<string, string>): string {
    const added = new URLSearchParams({
      ...parameters,
      ...(clientState !== undefined && { state: clientState }),
      iss: this.options.publicUrl,
    });
    return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${added.toString()}`;
  }

  private async withConsent({ loginId, attempt, request }: ProvenSignIn): Promise<WayBack> {
    const { clientId, redirectUri, clientState } = attempt;
    const { prompt = [], language } = attempt.request ?? {};
    const asksAgain = prompt.includes('consent');
    const login = await this.consents.hold({ loginId, clientId }, { asksAgain });
    const isGiven = login?.status === 'consumed' || (login?.is_covered === true && !asksAgain);
    const error = consentErrorOf(login) ?? (!isGiven && prompt.includes('none') ? 'consent_required' : null);
    if (error !== null) return { location: this.errorLocation(attempt, error), cookies: [] };
    if (isGiven) return { location: this.codeLocation(attempt, loginId), cookies: [] };
    const visit = { loginId, clientId, redirectUri, clientState, asksAgain };
    const cookies = this.cookies.keep(consentVisit, visit, { key: loginId, present: request.cookies });
    const locale = language === undefined ? '' : `&ui_locales=${localeOf(language)}`;
    return { location: this.urls.endpoint(`consent?login=${loginId}${locale}`), cookies };
  }
}
