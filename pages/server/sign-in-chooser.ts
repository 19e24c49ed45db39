import { Get, Inject, Injectable, Post } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../src/config/iam.resolved-options.js';
import { Sealer } from '../../src/crypto/sealer.js';
import { errorTexts } from '../../src/errors/iam.error-texts.js';
import { IamError, type IamErrorCode, toErrorCode } from '../../src/errors/iam.error.js';
import { Endpoint } from '../../src/http/endpoint.decorator.js';
import { ClientRegistry } from '../../src/http/client-registry.service.js';
import { homeOf } from '../../src/http/error-page.js';
import type { IamRequest } from '../../src/http/iam-request.js';
import { cookieName, empty, type IamResponse, setCookie } from '../../src/http/iam-response.js';
import { type Parameters, toSearchParams } from '../../src/http/request-body.js';
import { IamUrls } from '../../src/http/iam-urls.service.js';
import { Incoming, Body, ZodPipe } from '../../src/http/parameter.decorators.js';
import { isOwnForm } from '../../src/http/trusted-origins.service.js';
import type { SignInChooser } from '../../src/oauth/authorize-request.js';
import { ClientReturns } from '../../src/oauth/client-returns.service.js';
import { Clients } from '../../src/oauth/clients/clients.service.js';
import { Clock } from '../../src/runtime/clock.js';
import { PublicController } from '../../src/http/endpoint-responses.service.js';
import { type Consent, consentSchema } from '../../src/users/subject.js';
import { CLIENT_ID, IAM_PAGES_OPTIONS, IamPages } from './iam-pages.service.js';
import type { ResolvedPagesOptions } from './pages-options.js';

/** Longer than any sign-in takes: one that follows a scan starts twice. */
const CONSENT_SECONDS = 3_600;

const languages = ['zh-CN', 'en'] as const;
type Documents = Pick<Consent, 'terms' | 'privacy'>;

/** The page on which people choose how to sign in, and what they agree to there (docs/decisions/0111, 0112). */
@Injectable()
export class Chooser implements SignInChooser {
  readonly requiresConsent: boolean;
  private readonly sealer: Sealer;
  private readonly cookie: string;
  /** The documents in force, by the language in which they are shown. */
  private readonly inForce: Readonly<Record<(typeof languages)[number], Documents>>;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_PAGES_OPTIONS) { terms, privacy, requireConsent }: ResolvedPagesOptions,
    private readonly urls: IamUrls,
    private readonly clock: Clock,
  ) {
    this.requiresConsent = requireConsent && (terms !== undefined || privacy !== undefined);
    this.sealer = new Sealer(options.keyRing, 'consent');
    this.cookie = cookieName('iam-consent', options);
    const documentsIn = (language: (typeof languages)[number]): Documents => ({
      ...(terms !== undefined && { terms: terms[language] }),
      ...(privacy !== undefined && { privacy: privacy[language] }),
    });
    this.inForce = { 'zh-CN': documentsIn('zh-CN'), en: documentsIn('en') };
  }

  location(parameters: Parameters, error?: IamErrorCode): string {
    const query = toSearchParams({ ...parameters, ...(error !== undefined && { error }) });
    return `${this.urls.endpoint('ui/sign-in')}?${query.toString()}`;
  }

  findConsent(codeChallenge: string, cookies: IamRequest['cookies']): Consent | undefined {
    const sealed = cookies[this.cookie];
    const consent = sealed === undefined ? null : this.sealer.openJson(sealed, codeChallenge, consentSchema);
    if (consent === null || Date.parse(consent.agreed_at) < this.clock.now() - CONSENT_SECONDS * 1000)
      return undefined;
    return this.isInForce(consent) ? consent : undefined;
  }

  isInForce(consent: Consent): boolean {
    return languages.some((language) => {
      const { terms, privacy } = this.inForce[language];
      return terms === consent.terms && privacy === consent.privacy;
    });
  }

  /** A `Set-Cookie` value. The seal binds the consent to the request with this code challenge: the next person is asked again. */
  keepConsent(codeChallenge: string, language: (typeof languages)[number]): string {
    const consent: Consent = {
      ...this.inForce[language],
      agreed_at: new Date(this.clock.now()).toISOString(),
    };
    const value = this.sealer.seal(JSON.stringify(consent), codeChallenge);
    return setCookie({ name: this.cookie, value, maxAge: CONSENT_SECONDS }, this.options);
  }
}

const consentBody = z.strictObject({
  code_challenge: z.string().regex(/^[\w-]{43}$/),
  language: z.enum(languages),
});

/** The chooser, and where it sends the consent of a person. */
@PublicController('ui/sign-in')
export class ChooserController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly pages: IamPages,
    private readonly chooser: Chooser,
    private readonly clients: Clients,
    private readonly returns: ClientReturns,
    private readonly registry: ClientRegistry,
  ) {}

  @Endpoint({
    summary: 'The page on which people choose how to sign in; `/authorize` leads to it',
    query: z.object({ client_id: z.string(), redirect_uri: z.url() }),
    responses: { 200: 'text/html' },
    errors: ['client_unknown', 'redirect_uri_mismatch'],
  })
  @Get()
  page(@Incoming() request: IamRequest): IamResponse {
    const { query, cookies } = request;
    // Anybody can write an address of this page: what it offers to go back to must be of the client.
    const back = this.clients.checkRedirect(query['client_id'], query['redirect_uri']);
    const { clientId } = back;
    const text = (name: string) => (typeof query[name] === 'string' ? query[name] : undefined);
    const error = text('error') === undefined ? null : toErrorCode(text('error') ?? null);
    const name = this.registry.nameOf(clientId);
    return this.pages.signInPage(request, {
      application: name === null ? null : { name, logo: this.registry.find(clientId)?.logoUri ?? null },
      home: this.homeOf(back),
      back: this.returns.errorLocation({ ...back, clientState: text('state') }, error ?? 'access_denied'),
      problem:
        error === null
          ? null
          : { code: error, texts: { 'zh-CN': errorTexts[error].zh, en: errorTexts[error].en } },
      isAgreed: this.chooser.findConsent(text('code_challenge') ?? '', cookies) !== undefined,
      wechat: this.options.wechat.endpoints.open,
    });
  }

  @Endpoint({
    summary: 'For that page: the person has agreed to the terms',
    responses: { 204: null },
    errors: ['origin_forbidden'],
  })
  @Post('consent')
  agree(
    @Body(new ZodPipe(consentBody)) { code_challenge, language }: z.infer<typeof consentBody>,
    @Incoming() request: IamRequest,
  ): IamResponse {
    if (!isOwnForm(request, this.options))
      throw new IamError('origin_forbidden', 'not sent from the page of the chooser');
    return { ...empty(204), cookies: [this.chooser.keepConsent(code_challenge, language)] };
  }

  /** Our own pages know more than one home, and no other site is a third party's. */
  private homeOf({ clientId, redirectUri }: ReturnType<Clients['checkRedirect']>): string {
    if (clientId === CLIENT_ID) return redirectUri;
    const isOwn = this.registry.find(clientId)?.isFirstParty !== false;
    return isOwn ? homeOf(this.registry.site, clientId) : new URL(redirectUri).origin;
  }
}
