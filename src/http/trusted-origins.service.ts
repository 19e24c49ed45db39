import { Inject, Injectable } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ClientRegistry } from './client-registry.service.js';
import type { IamRequest } from './iam-request.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Exchange, overruleHeaders } from './raw-http.js';
import { mergeVary } from './iam-response.js';

/**
 * A form of one of our own pages: where the browser says by `Origin`, or else by Fetch Metadata, who sends it, it must be we. `none` is
 * the person's own doing, such as a reload, which no page can imitate.
 */
export function isOwnForm(
  { requestOrigin, fetchSite = 'none' }: IamRequest,
  { publicUrl }: Pick<ResolvedIamOptions, 'publicUrl'>,
): boolean {
  if (requestOrigin !== undefined) return requestOrigin === publicUrl;
  return fetchSite === 'same-origin' || fetchSite === 'none';
}

const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The origins from which a browser may send requests with cookies, which authenticate by themselves. */
@Injectable()
export class TrustedOrigins {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clients: ClientRegistry,
  ) {}

  /**
   * A request that changes something, or opens a socket, must come from a page of the same origin or of a cookie client's: the
   * browser says so by Fetch Metadata, an older one by `Origin`. `text/plain` is refused, because any page's form can send it.
   * @throws IamError `origin_forbidden`
   */
  checkWrite({ method, isUpgrade, fetchSite, requestOrigin, contentType }: IamRequest): void {
    if (reading.has(method) && !isUpgrade) return;
    const isTrusted = fetchSite === 'same-origin' || this.find(requestOrigin) === true;
    if (!isTrusted)
      throw new IamError('origin_forbidden', `${method} from "${requestOrigin ?? fetchSite ?? 'nowhere'}"`);
    if (/^\s*text\/plain\b/i.test(contentType ?? ''))
      throw new IamError('origin_forbidden', 'a body of text/plain');
  }

  /**
   * For a request that changes something and that the host's own guard has admitted, perhaps by a cookie or password that
   * the browser adds by itself. Pages of our own front-ends may send it, and clients that are no browser, which name no origin.
   * @throws IamError `origin_forbidden`
   */
  checkForeignWrite({ method, fetchSite, requestOrigin }: IamRequest): void {
    if (reading.has(method) || fetchSite === 'same-origin') return;
    const isPage = requestOrigin !== undefined || fetchSite !== undefined;
    if (isPage && !this.isOwn(requestOrigin))
      throw new IamError('origin_forbidden', `${method} from "${requestOrigin ?? fetchSite ?? ''}"`);
  }

  private isOwn(origin = ''): boolean {
    return origin === this.options.publicUrl || this.clients.enabled.ownOrigins.has(origin);
  }

  /** Whether scripts of the origin may send cookies; undefined for one that is neither ours nor a client's. */
  private find(origin: string | undefined): boolean | undefined {
    if (origin === undefined) return undefined;
    if (origin === this.options.publicUrl) return true;
    return this.clients.enabled.origins.get(origin);
  }
}

/** The first part of the endpoints that scripts call; the others serve navigations, WeChat and our own pages. */
const forScripts: ReadonlySet<string> = new Set([
  'providers',
  'token',
  'revoke',
  'device_authorization',
  'userinfo',
  'par',
  'jwks',
  '.well-known',
  'me',
  'admin',
]);

/** The first part of those whose response depends on the user. */
const personal: ReadonlySet<string> = new Set(['me', 'admin', 'userinfo']);

const PREFLIGHT_SECONDS = 600;
const preflightHeaders = {
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, If-Match',
  'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
} as const;

/**
 * CORS of our endpoints: for scripts of the clients' `origins` alone, whatever CORS the host has for its own routes. Only
 * scripts of cookie clients may send cookies.
 */
@Injectable()
export class Cors {
  constructor(private readonly clients: ClientRegistry) {}

  /** Sets the CORS headers when the response is written, also that of a preflight. */
  apply(endpoint: string, { request, response }: Exchange): void {
    const [area = ''] = endpoint.split('/');
    const granted = forScripts.has(area) ? this.grant(request.headers.origin) : null;
    const headers = { ...granted, ...(isPreflight(request) && granted !== null && preflightHeaders) };
    const vary = personal.has(area) ? ['Origin', 'Authorization', 'Cookie'] : ['Origin'];
    overruleHeaders(response, () => replaceCors(response, headers, vary));
  }

  /** The headers that let a script of this origin read a response; null for an origin that is not a client's. */
  grant(origin: string | undefined): Record<string, string> | null {
    const withCookies = origin === undefined ? undefined : this.clients.enabled.origins.get(origin);
    if (origin === undefined || withCookies === undefined) return null;
    return {
      'Access-Control-Allow-Origin': origin,
      ...(withCookies && { 'Access-Control-Allow-Credentials': 'true' }),
      'Access-Control-Expose-Headers': 'ETag, Retry-After, WWW-Authenticate',
    };
  }
}

/** Removes what the host's own CORS has set. */
function replaceCors(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  vary: readonly string[],
): void {
  for (const name of response.getHeaderNames())
    if (name.startsWith('access-control-')) response.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Vary', mergeVary(response.getHeader('Vary'), vary));
}

/** https://fetch.spec.whatwg.org/#cors-preflight-request */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}
