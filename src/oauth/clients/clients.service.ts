import { Injectable } from '@nestjs/common';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import type { Admission } from '../../sessions/session-statements.js';
import type { TokenCaller } from '../../sessions/sessions.service.js';
import type { Attempt } from '../../sign-in/attempt-cookies.service.js';

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
    private readonly registry: ClientRegistry,
    private readonly urls: IamUrls,
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

  /** The client of a sign-in under way, which may have changed meanwhile. @throws IamError `client_unknown`, and as `requireAllowed` */
  require(clientId: string, request: ClientRequest): Client {
    const client = this.registry.find(clientId);
    if (client === undefined) throw new IamError('client_unknown', `client "${clientId}" is gone`);
    requireAllowed(client, request);
    return client;
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
