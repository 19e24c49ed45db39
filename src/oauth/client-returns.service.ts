import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { localeOf } from '../http/user-agent.js';
import type { Attempt } from '../sign-in/attempt-cookies.service.js';
import { Logins } from '../sign-in/logins.service.js';
import { consentVisit, PageCookies } from '../sign-in/page-cookies.service.js';
import { ClientConsents, consentErrorOf } from './consent/client-consents.service.js';

/** Where a browser returns to its client. */
export interface ClientReturn {
  readonly redirectUri: string;
  readonly clientState: string | undefined;
  readonly issuer: string;
}

/** RFC 6749 §4.1.2.1. */
export function errorLocation(to: ClientReturn, code: IamErrorCode): string {
  return withParameters(to, {
    error: errorCatalogue[code].oauth,
    error_description: errorTexts[code].en,
  });
}

/** The return of a link: the identity, and neither code nor token. */
export function linkedLocation(to: ClientReturn, identityId: string): string {
  return withParameters(to, { linked: identityId });
}

/** Appends to the query and leaves the registered URI as it was written; with `iss` of RFC 9207. */
function withParameters(
  { redirectUri, clientState, issuer }: ClientReturn,
  parameters: Record<string, string>,
): string {
  const added = new URLSearchParams({
    ...parameters,
    ...(clientState !== undefined && { state: clientState }),
    iss: issuer,
  });
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${added.toString()}`;
}

/** A login that has proven its person: its row says `authenticated`. */
interface ProvenSignIn {
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

/** The way back to a client: every code that a browser takes there passes here. */
@Injectable()
export class ClientReturns {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly consents: ClientConsents,
    private readonly logins: Logins,
    private readonly cookies: PageCookies,
    private readonly urls: IamUrls,
  ) {}

  /** The return with the code of a login; to a third party's application perhaps over the page that asks for consent. */
  async withCode(signIn: ProvenSignIn): Promise<WayBack> {
    const { loginId, attempt } = signIn;
    const { clientId, redirectUri, clientState } = attempt;
    const to = { redirectUri, clientState, issuer: this.options.publicUrl };
    if (this.registry.find(clientId)?.isFirstParty === false) return this.withConsent(signIn, to);
    return { location: this.codeLocation(to, loginId), cookies: [] };
  }

  /** RFC 6749 §4.1.2. */
  codeLocation(to: ClientReturn, loginId: string): string {
    return withParameters(to, { code: this.logins.mintCode(loginId) });
  }

  private async withConsent({ loginId, attempt, request }: ProvenSignIn, to: ClientReturn): Promise<WayBack> {
    const { clientId, redirectUri, clientState } = attempt;
    const { prompt = [], language } = attempt.request ?? {};
    const asksAgain = prompt.includes('consent');
    const login = await this.consents.hold({ loginId, clientId }, { asksAgain });
    const isGiven = login?.status === 'consumed' || (login?.is_covered === true && !asksAgain);
    const error = consentErrorOf(login) ?? (!isGiven && prompt.includes('none') ? 'consent_required' : null);
    if (error !== null) return { location: errorLocation(to, error), cookies: [] };
    if (isGiven) return { location: this.codeLocation(to, loginId), cookies: [] };
    const visit = { loginId, clientId, redirectUri, clientState, asksAgain };
    const cookies = this.cookies.keep(consentVisit, visit, { key: loginId, present: request.cookies });
    const locale = language === undefined ? '' : `&ui_locales=${localeOf(language)}`;
    return { location: this.urls.endpoint(`consent?login=${loginId}${locale}`), cookies };
  }
}
