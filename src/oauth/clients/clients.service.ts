import { Inject, Injectable, Optional } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { IamError, type IamErrorCode } from '../../errors/iam.error.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { Parameters } from '../../http/request-body.js';
import { parseInput, ZodPipe } from '../../http/parameter.decorators.js';
import type { Admission } from '../../sessions/session-statements.js';
import type { TokenCaller } from '../../sessions/sessions.service.js';
import type { Attempt } from '../../sign-in/attempt-cookies.service.js';
import { requestParameters } from '../../sign-in/login.js';
import type { Consent } from '../../users/subject.js';
import { errorLocation } from '../client-returns.service.js';
import { readScope } from '../openid/scopes.js';

/** The page on which a person chooses how to sign in; `IamPagesModule` provides it. */
export interface SignInChooser {
  /** Its address for a request to `/authorize`, perhaps with the error of an earlier try. */
  location(parameters: Parameters, error?: IamErrorCode): string;
  /** What is in force and the person in this browser has agreed to on it, for the request with this code challenge alone. */
  findConsent(
    codeChallenge: string,
    cookies: Readonly<Record<string, string | undefined>>,
  ): Consent | undefined;
  /** Whether the documents of an earlier consent are those of now. */
  isInForce(consent: Consent): boolean;
  /** True: no request gets past it without that. */
  readonly requiresConsent: boolean;
}

/** Injection token of the `SignInChooser`, which an application may do without. */
export const SIGN_IN_CHOOSER = Symbol('SIGN_IN_CHOOSER');

/** What a client asks for by a request of its own. */
interface ClientRequest {
  /** The `grant_type` of the sign-in or session, where it is known. */
  readonly grant?: string;
  /** The slug of the provider, where the request names it. */
  readonly provider?: string | undefined;
}

/** @throws IamError `client_disabled`, `unauthorized_client` */
export function requireAllowed(client: Client, { grant, provider }: ClientRequest): void {
  const { id, isEnabled, grants } = client;
  if (!isEnabled) throw new IamError('client_disabled', `application "${id}" is disabled`);
  if (grant !== undefined && grants?.includes(grant) === false)
    throw new IamError('unauthorized_client', `application "${id}" has no grant ${grant}`);
  if (provider !== undefined && !admits(client, provider))
    throw new IamError('unauthorized_client', `application "${id}" admits nobody by "${provider}"`);
}

/** Whether people may come to the client through a provider. */
export function admits({ providers }: Client, slug: string): boolean {
  return providers.length === 0 || providers.includes(slug);
}

/** The registered applications, of the code and of the database, as sign-ins ask for them. */
@Injectable()
export class Clients {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly urls: IamUrls,
    @Optional() @Inject(SIGN_IN_CHOOSER) private readonly chooser?: SignInChooser,
  ) {}

  /** The client as the caller of `sessions/`: one with cookies shares the browser's session with all the others that have them. */
  callerOf(client: Client): TokenCaller {
    const { id, tokens } = client;
    const sessionsOf = tokens === 'cookie' ? this.registry.enabled.cookieClientIds : [id];
    return { clientId: id, sessionsOf, admission: this.admissionOf(client, sessionsOf) };
  }

  /** As `callerOf`, to end a session: that is no matter of whether an application is disabled. */
  enderOf({ id, tokens }: Client): TokenCaller {
    return { clientId: id, sessionsOf: tokens === 'cookie' ? this.registry.knownCookieClientIds : [id] };
  }

  /** To what began at these clients. Undefined where they and the client are of the code, which admits everybody. */
  admissionOf(
    { id, providers, isFirstParty }: Client,
    beganAt: readonly string[] = [id],
  ): Admission | undefined {
    const times = beganAt.map((each) => [each, this.registry.find(each)?.since ?? null] as const);
    const stored = times.filter((time): time is [string, Date] => time[1] !== null);
    if (stored.length === 0 && providers.length === 0) return undefined;
    return { providers, since: Object.fromEntries(stored), needsConsent: !isFirstParty };
  }

  /** @throws IamError `client_unknown`, and as `requireAllowed`; for a sign-in under way, whose client may have changed meanwhile */
  requireSignIn(clientId: string, provider: string): void {
    const client = this.registry.find(clientId);
    if (client === undefined) throw new IamError('client_unknown', `client "${clientId}" is gone`);
    requireAllowed(client, { provider });
  }

  /** Whether people may come to a client by a provider: true for no client, and for one that is unknown. */
  admits(clientId: unknown, slug: string): boolean {
    const client = typeof clientId === 'string' ? this.registry.find(clientId) : undefined;
    return client === undefined || admits(client, slug);
  }

  /**
   * The client and the address a browser may be sent back to: an exact match of a registered one (RFC 9700 §2.1), but for the
   * port of a loopback address, which an app on this machine is given when it starts (RFC 8252 §7.3). Cookies are of a web page,
   * whose port is known.
   * @throws IamError `client_unknown`, `client_disabled` or `redirect_uri_mismatch`, which must not redirect
   */
  checkRedirect(
    clientId: unknown,
    redirectUri: unknown,
  ): { readonly clientId: string; readonly redirectUri: string } {
    const client = typeof clientId === 'string' ? this.registry.find(clientId) : undefined;
    if (client === undefined) throw new IamError('client_unknown', 'no client with this client_id');
    if (!client.isEnabled) throw new IamError('client_disabled', `application "${client.id}" is disabled`);
    if (typeof redirectUri !== 'string' || !isRegistered(client, redirectUri))
      throw new IamError('redirect_uri_mismatch', `not a redirect URI of client "${client.id}"`);
    return { clientId: client.id, redirectUri };
  }

  /**
   * For an attempt whose browser returns: an address that was withdrawn since, or whose application is gone, gets neither a code nor an
   * error. Our own page, on which the code of a device is typed, is no client's.
   * @throws IamError `redirect_uri_mismatch`, which must not redirect
   */
  requireReturn({ clientId, redirectUri }: Pick<Attempt, 'clientId' | 'redirectUri'>): void {
    const client = this.registry.find(clientId);
    const isKnown = client !== undefined && isRegistered(client, redirectUri);
    if (!isKnown && redirectUri !== this.urls.endpoint('device'))
      throw new IamError('redirect_uri_mismatch', `no redirect URI of client "${clientId}" any more`);
  }

  /** @throws IamError `unauthorized_client` for a client that no browser may sign in to */
  requireCodeGrant(clientId: string): Client {
    const client = this.registry.find(clientId);
    if (client === undefined) throw new IamError('client_unknown', `client "${clientId}" is gone`);
    requireAllowed(client, { grant: 'authorization_code' });
    return client;
  }

  /**
   * Where a browser goes whose attempt has failed: to choose another way where it chose this one, else back to the client, as a client
   * that means another person.
   */
  failureLocation(attempt: Attempt, code: IamErrorCode): string {
    const { clientId, redirectUri, clientState, codeChallenge, request, isChosen } = attempt;
    if (isChosen !== true || this.chooser === undefined || code === 'login_required')
      return errorLocation({ redirectUri, clientState, issuer: this.options.publicUrl }, code);
    const parameters = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      ...(clientState !== undefined && { state: clientState }),
      code_challenge: codeChallenge,
      code_challenge_method: 'S256',
      ...requestParameters(request),
    };
    return this.chooser.location(parameters, code);
  }
}

function isRegistered({ redirectUris, type, tokens }: Client, redirectUri: string): boolean {
  const isOnDevice = type === 'public' && tokens === 'bearer';
  return redirectUris.some(
    (registered) => registered === redirectUri || (isOnDevice && isSameButPort(registered, redirectUri)),
  );
}

/** `localhost` is compared with its port: it may resolve elsewhere (RFC 8252 §8.3). */
const loopbackPort = /^(http:\/\/(?:127(?:\.\d{1,3}){3}|\[::1\]))(?::\d{1,5})?(?=[/?]|$)/;

function isSameButPort(registered: string, requested: string): boolean {
  const isLoopback = loopbackPort.test(registered) && URL.canParse(requested);
  return isLoopback && registered.replace(loopbackPort, '$1') === requested.replace(loopbackPort, '$1');
}

/**
 * The parameters of an OAuth request. None may come twice, known or not: two readers could each believe another one (RFC 6749
 * §3.1, §3.2). But for `resource`, of which each counts (RFC 8707 §2).
 * @throws IamError `invalid_request`, or `invalid_scope` (RFC 6749 §3.3)
 */
export function parseOAuthInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parameters = new Map(Object.entries(input ?? {}));
  for (const [name, value] of parameters)
    if (Array.isArray(value) && name !== 'resource')
      throw new IamError('invalid_request', `${name}: sent more than once`);
  readScope(parameters.get('scope'));
  return parseInput(schema, input);
}

/** Parameters of which nothing has been checked. */
export const anyParameters = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/** `resource`, once or several times. */
export const resourceParameter = z
  .union([z.string(), z.array(z.string()).min(1).max(20)])
  .transform((named) => [named].flat())
  .optional()
  .meta({ description: 'APIs that the access token is for (RFC 8707); may come several times' });

/** A `ZodPipe` for the body of an OAuth request; see `parseOAuthInput`. */
export class OAuthPipe<T> extends ZodPipe<T> {
  constructor(schema: z.ZodType<T>) {
    super(schema, 'form');
  }

  protected override parse(input: unknown): T {
    return parseOAuthInput(this.schema, input);
  }
}
