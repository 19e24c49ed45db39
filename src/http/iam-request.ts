import type { IncomingMessage } from 'node:http';
import { parse as parseCookies } from 'cookie';
import { isRecord } from '../errors/unknown.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { classifyBrowser, type Browser, preferredLanguage, type Language } from './user-agent.js';
import { collectParameters, findBody, type Parameters } from './request-body.js';

/** A request, the same on Express and Fastify. */
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
  /** Sent by a navigation, not by a script. */
  readonly wantsPage: boolean;
  readonly origin: RequestOrigin;
}

const MAX_USER_AGENT = 512;

/** Reads an Express or Fastify request. */
export function readRequest(request: unknown): IamRequest {
  const http = toHttpRequest(request);
  const { headers } = http;
  const { path, query } = readTarget(request);
  const body = findBody(http, http.raw ?? http);
  return {
    method: http.method?.toUpperCase() ?? '',
    path,
    query: collectParameters(new URLSearchParams(query)),
    get body() {
      return body.parsed;
    },
    rawBody: body.bytes,
    contentType: body.type ?? headers['content-type'],
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

/** The address and browser of an Express or Fastify request. */
export function readOrigin(request: unknown): RequestOrigin {
  const { headers, ip } = toHttpRequest(request);
  return { ip: ip ?? null, userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null };
}

/** The request target, whole and in parts, without scheme and host before the path (RFC 9112 §3.2.2). */
export function readTarget(request: unknown): {
  readonly url: string;
  readonly path: string;
  readonly query: string;
} {
  const http = toHttpRequest(request);
  const url = http.originalUrl ?? http.url;
  const [, path = '/', query = ''] = /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)\??([^#]*)/i.exec(url) ?? [];
  return { url, path, query };
}

/** A header that came twice is not trusted. */
function fetchSiteOf({ 'sec-fetch-site': site }: IncomingMessage['headers']): string | undefined {
  return typeof site === 'string' ? site : undefined;
}

/** A request of Express, which is Node's own, or of Fastify, which has Node's own in `raw`. */
interface HttpRequest {
  readonly method?: string;
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly originalUrl?: string;
  readonly ip?: string;
  readonly raw?: object;
}

function toHttpRequest(request: unknown): HttpRequest {
  if (!isHttpRequest(request)) throw new TypeError('expected a request of Express or Fastify');
  return request;
}

function isHttpRequest(value: unknown): value is HttpRequest {
  return isRecord(value) && 'headers' in value && 'url' in value;
}
