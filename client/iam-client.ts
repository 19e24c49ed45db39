import { BrowserPort, Server } from './browser.js';
import { awaitDevice, type DeviceSignIn } from './device-sign-in.js';
import { IamClientError } from './error.js';
import { beginRedirect, checkReturn, type Returned, takeReturn } from './redirect.js';
import { type Grant, type Tokens, TokenSession } from './token-session.js';
import { type IamUser, isUser, type ProviderOffer } from './types.js';

/** What differs between one front-end and the next. */
export interface IamClientOptions {
  /** As in the option `clients` of the server. */
  readonly clientId: string;
  /** Where the module's endpoints are. @default '/iam' */
  readonly server?: string;
  /** Where a sign-in returns, as it is registered. @default the address of this page, without query and fragment */
  readonly redirectUri?: string;
  /** As the server's client says. @default 'bearer' */
  readonly tokens?: 'bearer' | 'cookie';
  /**
   * Where a bearer client keeps its tokens: `sessionStorage` outlives a reload, `localStorage` the browser; a script that is
   * injected into the page reads both. @default memory
   */
  readonly storage?: Storage;
  /** Other origins that `fetch` may send the token to. */
  readonly origins?: readonly string[];
}

/** How a sign-in begins; the server chooses what is left out. */
export interface SignInRequest {
  readonly provider?: string;
  readonly method?: 'auto' | 'open' | 'mp' | 'follow' | 'page' | 'mini' | (string & {});
  /** `widget`: the address answers with the options of WeChat's `new WxLogin({…})`. */
  readonly display?: 'widget';
  /** OpenID Connect: `openid profile`, …; without it, the server gives what it gives a front-end of its own. */
  readonly scope?: string;
  /** Given back by `finishSignIn`: where the person was. */
  readonly returnTo?: string;
}

/** Signs people in, and sends requests as the person who is signed in. Make one for each page, before anything else runs. */
export class IamClient {
  private readonly server: Server;
  private readonly port: BrowserPort;
  private readonly session: TokenSession;
  private readonly redirectUri: string;
  private readonly origins: ReadonlySet<string>;
  private readonly credentials: RequestCredentials;
  private returned: Returned | null;
  private finishing: Promise<{ readonly returnTo: string | null } | null> | undefined;
  private issuer: Promise<string> | undefined;

  constructor(private readonly options: IamClientOptions) {
    const { clientId, server = '/iam', tokens, storage = null, origins = [] } = options;
    const hasCookies = tokens === 'cookie';
    this.redirectUri = new URL(options.redirectUri ?? location.pathname, location.href).href;
    this.returned = takeReturn(clientId, this.redirectUri);
    const url = new URL(server.replace(/\/$/, ''), location.href);
    this.origins = new Set([location.origin, url.origin, ...origins.map((each) => new URL(each).origin)]);
    this.credentials = hasCookies ? 'include' : 'same-origin';
    this.server = new Server(url.href, clientId, this.credentials);
    this.port = new BrowserPort(this.server, { hasCookies, clientId, storage });
    this.session = new TokenSession(this.port);
  }

  /** The signed-in user, also one who has just come back from WeChat; null: nobody. @throws IamClientError */
  async getUser(): Promise<IamUser | null> {
    await this.finishSignIn();
    if (!this.port.hasCookies && (await this.session.current()) === null) return null;
    const response = await this.fetch(`${this.server.url}/me`).catch((error: unknown) => {
      throw error instanceof IamClientError ? error : new IamClientError('network_error');
    });
    if (response.status === 401) return null;
    const body: unknown = await response.json().catch(() => null);
    if (response.ok && isUser(body)) return body;
    throw new IamClientError(codeOf(body), response.status);
  }

  /** Leaves for WeChat; call it from a click, since WeChat opens pages that ask at once as snapshots. */
  async signIn(request: SignInRequest = {}): Promise<never> {
    location.assign(await this.authorizeUrl(request));
    return new Promise<never>(() => undefined);
  }

  /** The address that a sign-in begins at, for a link, a frame or a QR code of your own. */
  async authorizeUrl({ returnTo, ...parameters }: SignInRequest = {}): Promise<string> {
    const query = { response_type: 'code', client_id: this.options.clientId, ...parameters };
    return this.addressOf(`${this.server.url}/authorize?${new URLSearchParams(query).toString()}`, returnTo);
  }

  /**
   * Ends a sign-in that has come back to this page; null when the page was opened in another way. A failure is said once.
   * @throws IamClientError `binding_required`, `access_denied`, …
   */
  finishSignIn(): Promise<{ readonly returnTo: string | null } | null> {
    this.finishing ??= this.finish().catch((error: unknown) => {
      this.finishing = undefined;
      throw error;
    });
    return this.finishing;
  }

  /** Signs in by a QR code on this page, and resolves when the phone has confirmed. @throws IamClientError */
  async signInByDevice({ provider, ...device }: DeviceSignIn): Promise<void> {
    const begun = await this.server.post('device_authorization', { provider });
    try {
      await awaitDevice(begun, device, (grant: Grant) => this.session.redeem(grant));
    } catch (error) {
      const next = error instanceof IamClientError ? error.details['authorize_uri'] : null;
      if (typeof next !== 'string') throw error;
      // The row asks for the Open Platform's QR code after the follow.
      location.assign(await this.addressOf(next));
      await new Promise<never>(() => undefined);
    }
  }

  /** Ends a sign-in that was answered `binding_required`, once the host has connected an account; on the same page. */
  resumeSignIn(): Promise<void> {
    return this.session.resume();
  }

  /** What this browser can use. @throws IamClientError */
  async getProviders(): Promise<ProviderOffer> {
    const offer: unknown = await this.server.ask('providers');
    if (isOffer(offer)) return offer;
    throw new IamClientError('network_error');
  }

  /** For what is no `fetch`, such as a WebSocket; null when nobody is signed in, and for clients with cookies. */
  async getAccessToken(): Promise<string | null> {
    return (await this.tokens())?.access ?? null;
  }

  /**
   * The ID token of a sign-in whose `scope` has `openid`, as a server of yours or `id_token_hint` takes it; null without one, and for
   * clients with cookies.
   */
  async getIdToken(): Promise<string | null> {
    return (await this.tokens())?.id ?? null;
  }

  /** Renews the tokens now, with their roles; those who call at once share one request, also those of other tabs. */
  refresh(): Promise<void> {
    return this.session.renew();
  }

  /**
   * As the browser's `fetch`, with the token; an expired one is renewed once. Without a signed-in user it goes without.
   * @throws IamClientError `origin_not_allowed` for an origin that is neither this page's nor named
   */
  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const asked = new Request(input, init);
    const isUsual = asked.credentials === 'same-origin' && init?.credentials === undefined;
    const request = isUsual ? new Request(asked, { credentials: this.credentials }) : asked;
    if (!this.origins.has(new URL(request.url).origin)) throw new IamClientError('origin_not_allowed');
    const tokens = await this.tokens();
    const response = await fetch(authorized(request.clone(), tokens));
    const challenge = response.headers.get('WWW-Authenticate') ?? '';
    if (response.status !== 401 || !challenge.includes('invalid_token')) return response;
    await this.session.renew(tokens);
    const renewed = this.port.store.read();
    return renewed === null ? response : fetch(authorized(request, renewed));
  }

  /**
   * Ends the session, in this tab at once and in the others. @throws IamClientError when the server could not be told: a client
   * with cookies is still signed in then, in every tab
   */
  signOut(): Promise<void> {
    return this.session.end();
  }

  /** Told when a person has come in or gone, also in another tab. Returns what ends it. */
  onChange(listener: (isSignedIn: boolean) => void): () => void {
    this.port.listeners.add(listener);
    return () => this.port.listeners.delete(listener);
  }

  /** Stops listening to other tabs. */
  close(): void {
    this.port.close();
  }

  /** Also those of a sign-in that is just being finished. */
  private async tokens(): Promise<Tokens | null> {
    await this.finishing?.catch(() => undefined);
    return this.session.current();
  }

  private async finish(): Promise<{ readonly returnTo: string | null } | null> {
    const { returned } = this;
    this.returned = null;
    if (returned === null) return null;
    const { code, verifier, redirectUri, returnTo } = checkReturn(returned);
    await this.session.redeemAgain({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    });
    return { returnTo };
  }

  private async addressOf(start: string, returnTo: string | null = null): Promise<string> {
    this.issuer ??= this.server
      .ask('.well-known/oauth-authorization-server')
      .then(({ issuer }) => String(issuer));
    const issuer = await this.issuer.catch((error: unknown) => {
      this.issuer = undefined;
      throw error;
    });
    const { redirectUri } = this;
    const url = new URL(start);
    const parameters = await beginRedirect(this.options.clientId, { issuer, redirectUri, returnTo });
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  }
}

function authorized(request: Request, tokens: Tokens | null): Request {
  if (tokens?.access !== undefined) request.headers.set('Authorization', `Bearer ${tokens.access}`);
  return request;
}

function isOffer(body: unknown): body is ProviderOffer {
  return typeof body === 'object' && body !== null && 'providers' in body;
}

function codeOf(body: unknown): string {
  const isProblem = typeof body === 'object' && body !== null && 'code' in body;
  return isProblem ? String(body.code) : 'network_error';
}
