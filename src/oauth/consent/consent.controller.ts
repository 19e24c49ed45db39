import { Delete, Get, Inject, Param, Post } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { IamError } from '../../errors/iam.error.js';
import type { Client } from '../../http/client-registry.service.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { redirect, type IamResponse } from '../../http/iam-response.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { AuthenticatedPerson } from '../../http/authenticated-user.js';
import { CurrentUser, Incoming, Body, ZodPipe } from '../../http/parameter.decorators.js';
import { UserController } from '../../sessions/iam.guard.js';
import { PublicController } from '../../http/endpoint-responses.service.js';
import { actingSession } from '../../sessions/user-sessions.service.js';
import { consentVisit, PageCookies, type ConsentVisit } from '../../sign-in/page-cookies.service.js';
import { ClientReturns } from '../client-returns.service.js';
import { Clients } from '../clients/clients.service.js';
import { ClientConsents, consentErrorOf, givenConsent } from './client-consents.service.js';
import { consentEndPage, consentPage } from './consent-page.js';

/** The form of the page. */
const decisionBody = z.object({
  login: z.string().max(64),
  csrf: z.string().max(128),
  decision: z.enum(['confirm', 'deny']),
});

const pageErrors = ['state_mismatch', 'client_unknown', 'client_disabled', 'redirect_uri_mismatch'] as const;

/**
 * The page on which a person lets an application of a third party have what it asks for. Only the browser that has signed them in can
 * ask and decide: it has the sealed cookie of this login.
 */
@PublicController('consent')
export class ConsentController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly consents: ClientConsents,
    private readonly clients: Clients,
    private readonly returns: ClientReturns,
    private readonly cookies: PageCookies,
    private readonly urls: IamUrls,
  ) {}

  @Endpoint({
    summary: 'The page on which a person agrees to what an application of a third party asks for',
    query: z.object({ login: z.string() }),
    responses: { 200: 'text/html', 303: null },
    errors: pageErrors,
  })
  @Get()
  async show(@Incoming() request: IamRequest): Promise<IamResponse> {
    const { login: loginId } = request.query;
    const visit = this.find(loginId, request);
    if (visit === null) throw new IamError('state_mismatch', 'this browser was not asked for such a consent');
    return this.goOn(visit, request);
  }

  @Endpoint({
    summary: 'For that page: the decision',
    responses: { 200: 'text/html', 303: null },
    errors: [...pageErrors, 'origin_forbidden'],
  })
  @Post()
  async decide(
    @Body(new ZodPipe(decisionBody, 'application/x-www-form-urlencoded')) form: z.infer<typeof decisionBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const visit = this.cookies.requireOwnForm(this.find(form.login, request), form.csrf, request);
    const client = this.clientOf(visit);
    const isAgreed = visit.decision === 'confirm';
    const login = { loginId: visit.loginId, clientId: client.id };
    if (form.decision === 'confirm') await this.consents.give(login);
    else await this.consents.decline(login, { isAgreed });
    const decided = { ...visit, decision: isAgreed ? visit.decision : form.decision };
    const response = await this.goOn(decided, request);
    const cookies = this.cookies.keep(consentVisit, decided, {
      key: visit.loginId,
      present: request.cookies,
    });
    return { ...response, cookies };
  }

  /** The question, or where the browser goes once nothing is to be asked. */
  private async goOn(visit: ConsentVisit, { language }: IamRequest): Promise<IamResponse> {
    const { loginId, redirectUri, asksAgain, decision } = visit;
    const client = this.clientOf(visit);
    const login = await this.consents.find({ loginId, clientId: client.id });
    const error = consentErrorOf(login);
    if (login === null || error !== null)
      return redirect(this.returns.errorLocation(visit, error ?? 'state_expired'), 303);
    if (login.status === 'consumed') return consentEndPage(language, client, new URL(redirectUri).origin);
    if (login.is_covered && (!asksAgain || decision === 'confirm'))
      return redirect(this.returns.codeLocation(visit, loginId), 303);
    return consentPage({
      language,
      siteName: this.options.siteName,
      client,
      redirectUri,
      login,
      action: this.urls.path('consent'),
      fields: { login: loginId, csrf: this.cookies.csrfOf(visit) },
    });
  }

  private find(loginId: unknown, { cookies }: IamRequest): ConsentVisit | null {
    return typeof loginId === 'string' && isUuid(loginId)
      ? this.cookies.find(consentVisit, loginId, cookies)
      : null;
  }

  /** @throws IamError `client_unknown`, `client_disabled` or `redirect_uri_mismatch`, which must not redirect */
  private clientOf(visit: ConsentVisit): Client {
    const client = this.clients.require(visit.clientId, {});
    this.clients.requireReturn(visit);
    return client;
  }
}

/** What a person has agreed to. */
export const consentList = z.object({ items: z.array(givenConsent) });

/** See `consentList`. */
export const consentsExample: z.infer<typeof consentList> = {
  items: [
    {
      client_id: 'calendar',
      name: 'Calendar',
      logo_uri: 'https://calendar.example/logo.png',
      client_uri: 'https://calendar.example/',
      scopes: ['offline_access', 'openid', 'profile'],
      resources: [],
      created_at: '2026-01-31T08:00:00.000Z',
      updated_at: '2026-01-31T08:00:00.000Z',
    },
  ],
};

/** The applications that the signed-in user has let in. */
@UserController('me/consents')
export class MeConsentsController {
  constructor(private readonly consents: ClientConsents) {}

  @Endpoint({
    summary:
      'The applications of third parties that the signed-in user has agreed to, and what they may have',
    responses: { 200: consentList },
    example: consentsExample,
  })
  @Get()
  async list(@CurrentUser() user: AuthenticatedPerson): Promise<z.infer<typeof consentList>> {
    return { items: await this.consents.list(user.id) };
  }

  @Endpoint({
    summary: 'Withdraws the consent to an application, and ends the sessions of the signed-in user there',
    path: { client_id: 'The application' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':client_id')
  withdraw(@Param('client_id') clientId: string, @CurrentUser() user: AuthenticatedPerson): Promise<void> {
    return this.consents.withdraw(actingSession(user), clientId);
  }
}
