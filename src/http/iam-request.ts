import type { IncomingMessage } from 'node:http';
import { parse as parseCookies } from 'cookie';
import type { RequestOrigin } from '../runtime/request-context.js';
import { classifyBrowser, type Browser, preferredLanguage, type Language } from './user-agent.js';
import { bodyType, collectParameters, parsedBody, rawBody, type Parameters } from './request-body.js';

/** What an edge reads of a request, the same on Express and Fastify. */
export interface IamRequest {
  /** In upper case. */
  readonly method: string;
  readonly path: string;
  readonly query: Parameters;
  readonly body: unknown;
  /** The bytes of the body; null where there is none or a parser of the host came first. */
  readonly rawBody: Buffer | null;
  /** The `Content-Type` of the body. */
  readonly contentType: string | undefined;
  /** The first value of each name. */
  readonly cookies: Readonly<Record<string, string | undefined>>;
  /** The `Cookie` header, where a name may stand twice. */
  readonly cookieHeader: string;
  readonly authorization: string | undefined;
  /** The `If-Match` header. */
  readonly ifMatch: string | undefined;
  /** The `Origin` header. */
  readonly requestOrigin: string | undefined;
  /** The handshake of a WebSocket: a GET that browsers send to any site, with its cookies (RFC 6455 §10.2). */
  readonly isUpgrade: boolean;
  /** The `Sec-Fetch-Site` header. */
  readonly fetchSite: string | undefined;
  readonly browser: Browser;
  readonly language: Language;
  /** A person navigates here, rather than a script. */
  readonly wantsPage: boolean;
  readonly origin: RequestOrigin;
}

const MAX_USER_AGENT = 512;

/** Reads an Express or Fastify request. */
export function readRequest(request: unknown): IamRequest {
  const { method, headers, url, raw } = requestParts(request);
  const { path, query } = splitTarget(url);
  return {
    method,
    path,
    query: collectParameters(new URLSearchParams(query)),
    get body() {
      return parsedBody(request, raw);
    },
    rawBody: rawBody(request, raw),
    contentType: bodyType(raw) ?? headers['content-type'],
    cookies: parseCookies(headers.cookie ?? ''),
    cookieHeader: headers.cookie ?? '',
    authorization: headers.authorization,
    ifMatch: headers['if-match'],
    requestOrigin: headers.origin,
    isUpgrade: headers.upgrade !== undefined,
    fetchSite: fetchSiteOf(headers),
    browser: classifyBrowser(headers['user-agent']),
    language: preferredLanguage(headers['accept-language']),
    wantsPage: (headers.accept ?? '').includes('text/html'),
    origin: readOrigin(request),
  };
}

/** Where an Express or Fastify request comes from. */
export function readOrigin(request: unknown): RequestOrigin {
  const { headers, ip } = requestParts(request);
  return { ip: ip ?? null, userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null };
}

/** The path alone: cheap enough to ask of every request of the host. */
export function readPath(request: unknown): string {
  return splitTarget(requestParts(request).url).path;
}

/** The request target, whole and in its parts. */
export function readTarget(request: unknown): {
  readonly url: string;
  readonly path: string;
  readonly query: string;
} {
  const { url } = requestParts(request);
  return { url, ...splitTarget(url) };
}

/** A request target, also with scheme and host before the path (RFC 9112 §3.2.2), which are not looked at. */
function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const [, path = '/', query = ''] =
    /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)\??([^#]*)/i.exec(target) ?? [];
  return { path, query };
}

/** Of a header that came twice, nothing can be believed. */
function fetchSiteOf({ 'sec-fetch-site': site }: IncomingMessage['headers']): string | undefined {
  return typeof site === 'string' ? site : undefined;
}

interface RequestParts {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly ip: string | undefined;
  readonly raw: object;
}

/** Express hands over the IncomingMessage itself, Fastify an object that has it in `raw`. */
function requestParts(request: unknown): RequestParts {
  if (!isHttpRequest(request)) throw new TypeError('expected a request of Express or Fastify');
  return {
    method: request.method?.toUpperCase() ?? '',
    headers: request.headers,
    url: request.originalUrl ?? request.url,
    ip: request.ip,
    raw: request.raw ?? request,
  };
}

interface HttpRequest {
  readonly method?: string;
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly originalUrl?: string;
  readonly ip?: string;
  readonly raw?: object;
}

function isHttpRequest(value: unknown): value is HttpRequest {
  return typeof value === 'object' && value !== null && 'headers' in value && 'url' in value;
}
