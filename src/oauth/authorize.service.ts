import { Inject, Injectable, Optional } from '@nestjs/common';
import { z } from 'zod';
import { randomAlphanumeric } from '../crypto/random.js';
import { IamError } from '../errors/iam.error.js';
import type { Client } from '../http/client-registry.service.js';
import { logFailure } from '../http/error-responses.js';
import type { IamRequest } from '../http/iam-request.js';
import { json, redirect, type IamResponse } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/parameter.decorators.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { type Parameters, toSearchParams } from '../http/request-body.js';
import { languageOfLocales } from '../http/user-agent.js';
import { Resources } from '../http/resources.service.js';
import { toIamError } from '../http/to-iam-error.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { type Attempt, AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import type { AuthorizationRequest } from '../sign-in/login.js';
import {
  type AuthorizeRequest,
  parseAuthorizeRequest,
  SIGN_IN_CHOOSER,
  type SignInChooser,
  withChallenge,
} from './authorize-request.js';
import { ClientReturns } from './client-returns.service.js';
import { Clients } from './clients/clients.service.js';
import { anyParameters } from './request-parameters.js';
import { IdTokenHints } from './openid/id-token-hints.service.js';
import { grantScope } from './openid/scopes.js';
import { PushedRequests } from './pushed-requests.service.js';
import { methodParameter, SignInMethods, type StartedAttempt } from './registration.js';
import { SingleSignOn } from './single-sign-on.service.js';

/** The parameters, with what they ask for beyond a sign-in. */
type CheckedRequest = AuthorizeRequest & { readonly asked?: AuthorizationRequest | undefined };

/** How a signed-in user starts to link another identity in a browser. */
export const linkStartBody = z.object({
  provider: z.string().min(1).max(63),
  method: methodParameter,
  redirect_uri: z.string().max(2048),
  /** Comes back with the response. */
  state: z.string().max(1024).optional(),
});

type ClientAddress = Pick<Attempt, 'clientId' | 'redirectUri'>;

/** What proxies and servers take of a request line. */
const MOST_CHARACTERS = 8_000;

/** What an attempt takes from the request that starts it. */
type AttemptParts = Omit<Attempt, 'state' | 'provider' | 'method' | 'appid' | 'startedAt'>;

/**
 * `GET /authorize` and `POST /me/identities/authorize`: choose a method, seal what comes after into a cookie and send the browser to
 * WeChat or to a page of ours. Only `PushedRequests` and `SingleSignOn` store anything.
 */
@Injectable()
export class Authorize {
  private readonly logger = new IamLogger(Authorize.name);

  constructor(
    private readonly clients: Clients,
    private readonly providers: IdentityProviders,
    private readonly methods: SignInMethods,
    private readonly cookies: AttemptCookies,
    private readonly pushed: PushedRequests,
    private readonly resources: Resources,
    private readonly clock: Clock,
    private readonly singleSignOn: SingleSignOn,
    private readonly returns: ClientReturns,
    private readonly hints: IdTokenHints,
    private readonly urls: IamUrls,
    @Optional() @Inject(SIGN_IN_CHOOSER) private readonly chooser?: SignInChooser,
  ) {}

  async start(request: IamRequest): Promise<IamResponse> {
    const query = await this.pushed.expand(request.query);
    const back = this.clients.checkRedirect(query['client_id'], query['redirect_uri']);
    try {
      const client = this.clients.require(back.clientId, { grant: 'authorization_code' });
      const asking = withChallenge(query, client);
      const parameters = await this.withSealedHint(back, parseAuthorizeRequest(asking));
      const asked = this.requestOf(client, parameters);
      const entered = await this.singleSignOn.enter(request, { ...back, request: asked }, parameters);
      if (entered !== null) return redirect(entered.location, 303, entered.cookies);
      return await this.chooseOrBegin(request, back, { ...parameters, asked }, asking);
    } catch (thrown) {
      if (query['display'] === 'widget') throw thrown;
      const error = toIamError(thrown);
      logFailure(this.logger, error, `start for client "${back.clientId}":`);
      const clientState = typeof query['state'] === 'string' ? query['state'] : undefined;
      return redirect(this.returns.errorLocation({ ...back, clientState }, error.code), 303);
    }
  }

  /**
   * What goes with the attempt, beyond the sign-in itself; undefined for a request that asks for nothing more.
   * @throws IamError `invalid_scope`, `invalid_target`
   */
  requestOf(client: Client, parameters: AuthorizeRequest): AuthorizationRequest | undefined {
    const { nonce, id_token_hint: idTokenHint, request_uri: requestUri, prompt } = parameters;
    const scope = grantScope(client, parameters.scope);
    const resources = this.resources.require(parameters.resource, client.resources);
    const language = languageOfLocales(parameters.ui_locales) ?? undefined;
    const asked = { scope, resources, nonce, idTokenHint, requestUri, prompt, language };
    return Object.values(asked).every((each) => each === undefined) ? undefined : asked;
  }

  /**
   * The address of a request that came as a form: a browser sends our cookies with a navigation, and not with the form of another site.
   * @throws IamError `invalid_request`
   */
  locationOf(form: unknown): string {
    const query = toSearchParams(parseInput(anyParameters, form));
    const location = `${this.urls.endpoint('authorize')}?${query.toString()}`;
    if (location.length > MOST_CHARACTERS) throw new IamError('invalid_request', 'too long for an address');
    return location;
  }

  /** Starts where the client and its redirect URI are known: `start` checks those of a request. */
  async begin(
    request: IamRequest,
    back: ClientAddress,
    parameters: CheckedRequest & { readonly provider: string },
    consent = this.chooser?.findConsent(parameters.code_challenge, request.cookies),
  ): Promise<IamResponse> {
    const { display, follow_proof: proof, state: clientState, code_challenge: codeChallenge } = parameters;
    const { cookies } = request;
    this.clients.require(back.clientId, { provider: parameters.provider });
    const provider = await this.providers.getEnabled(parameters.provider);
    const followLoginId =
      proof === undefined
        ? undefined
        : await this.methods.openStep().check(proof, { provider, clientId: back.clientId, cookies });
    const method = display === 'widget' && parameters.method === 'auto' ? 'open' : parameters.method;
    const started = this.attempt(provider, request, method, {
      ...back,
      clientState,
      codeChallenge,
      request: parameters.asked,
      followLoginId,
      consent,
      ...(parameters.from === 'chooser' && { isChosen: true }),
    });
    return { ...this.respond(started, display), cookies: this.cookies.start(started.attempt, cookies) };
  }

  /**
   * As `start`, for a signed-in user. The cookie seals that the callback links to this user, as long as this session lives: no other
   * browser can finish the attempt.
   */
  async startLink(
    body: z.infer<typeof linkStartBody>,
    request: IamRequest,
    user: AuthenticatedPerson,
  ): Promise<IamResponse> {
    const back = this.clients.checkRedirect(user.clientId, body.redirect_uri);
    const provider = await this.providers.getEnabled(body.provider);
    const started = this.attempt(provider, request, body.method, {
      ...back,
      clientState: body.state,
      // No client knows its verifier, so this attempt never ends in tokens.
      codeChallenge: randomAlphanumeric(43),
      link: { userId: user.id, sessionId: user.sessionId },
    });
    const cookies = this.cookies.start(started.attempt, request.cookies);
    const authorize_uri = this.methods.get(started.attempt.method).location(started);
    return { ...json({ authorize_uri }), cookies };
  }

  /** What comes after carries the hint in a short form of ours. */
  private async withSealedHint(
    { clientId }: ClientAddress,
    parameters: AuthorizeRequest,
  ): Promise<AuthorizeRequest> {
    const { id_token_hint: hint } = parameters;
    if (hint === undefined) return parameters;
    return { ...parameters, id_token_hint: await this.hints.seal(hint, clientId) };
  }

  /** Where a person has yet to choose a provider, or to agree, the page for it comes before the start. */
  private async chooseOrBegin(
    request: IamRequest,
    back: ClientAddress,
    parameters: CheckedRequest,
    query: Parameters,
  ): Promise<IamResponse> {
    const { chooser } = this;
    const isWidget = parameters.display === 'widget';
    const consent = chooser?.findConsent(parameters.code_challenge, request.cookies);
    const mustAgree = chooser?.requiresConsent === true && consent === undefined;
    if (mustAgree && isWidget) throw new IamError('consent_required', 'this browser has not agreed');
    const provider = mustAgree ? null : (parameters.provider ?? (await this.findOnlyProvider(request, back)));
    if (provider !== null) return this.begin(request, back, { ...parameters, provider }, consent);
    if (chooser === undefined || isWidget) throw new IamError('invalid_request', 'provider: missing');
    return redirect(chooser.location(query), 302);
  }

  /** The provider of a request without one, where exactly one works: inside WeChat, and where there is no page to choose on. */
  private async findOnlyProvider(
    { browser }: IamRequest,
    { clientId }: ClientAddress,
  ): Promise<string | null> {
    if (this.chooser !== undefined && browser.kind !== 'wechat') return null;
    const rows = await this.providers.listEnabled();
    const enabled = rows.filter(({ slug }) => this.clients.admits(clientId, slug));
    const usable = enabled.filter((each) => this.methods.offer(each, browser).recommended !== null);
    const [only] = usable.length === 1 ? usable : [];
    return only?.slug ?? null;
  }

  private attempt(
    provider: IdentityProvider,
    { browser, language }: IamRequest,
    requested: string,
    parts: AttemptParts,
  ): StartedAttempt {
    const hasFollowed = parts.followLoginId !== undefined;
    const method = this.methods.choose(provider, browser, { method: requested, hasFollowed });
    const app = this.methods.get(method).appOf(provider);
    if (app === null) throw new IamError('provider_misconfigured', `no pair for ${method}`);
    const attempt = {
      ...parts,
      state: randomAlphanumeric(43),
      provider: provider.slug,
      method,
      appid: app.appid,
      startedAt: this.clock.now(),
    };
    return { attempt, provider, language };
  }

  private respond(started: StartedAttempt, display: AuthorizeRequest['display']): IamResponse {
    const method = this.methods.get(started.attempt.method);
    if (display === 'widget') {
      if (method.widget === undefined)
        throw new IamError('method_unavailable', 'the embedded QR code is the Open Platform’s');
      return json(method.widget(started));
    }
    return method.page?.(started) ?? redirect(method.location(started), 302);
  }
}
