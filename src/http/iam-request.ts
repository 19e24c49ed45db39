import type { IncomingMessage } from 'node:http';
import { parse as parseCookies } from 'cookie';
import type { RequestOrigin } from '../audit/record-audit.js';
import { classifyBrowser, type Browser } from '../wechat/browser.js';
import { preferredLanguage, type Language } from './language.js';
import { findBodyError, parsedBody } from './request-body.js';

/** A parameter given once, or several times, which the OAuth endpoints refuse (RFC 6749 §3.1). */
export type Parameters = Readonly<Record<string, string | string[]>>;

/** What an edge reads of a request, the same on Express and Fastify. */
export interface IamRequest {
  readonly path: string;
  readonly query: Parameters;
  readonly body: unknown;
  readonly cookies: Readonly<Record<string, string | undefined>>;
  readonly authorization: string | undefined;
  /** The `Origin` header. */
  readonly requestOrigin: string | undefined;
  readonly browser: Browser;
  readonly language: Language;
  /** A person navigates here, rather than a script. */
  readonly wantsPage: boolean;
  readonly origin: RequestOrigin;
}

const MAX_USER_AGENT = 512;

/** Reads an Express or Fastify request. */
export function readRequest(request: unknown): IamRequest {
  const { headers, url, ip, raw } = requestParts(request);
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const userAgent = headers['user-agent'];
  return {
    path: pathname,
    query: collectParameters(searchParams),
    body: parsedBody(request, raw),
    cookies: parseCookies(headers.cookie ?? ''),
    authorization: headers.authorization,
    requestOrigin: headers.origin,
    browser: classifyBrowser(userAgent),
    language: preferredLanguage(headers['accept-language']),
    wantsPage: (headers.accept ?? '').includes('text/html'),
    origin: { ip: ip ?? null, userAgent: userAgent?.slice(0, MAX_USER_AGENT) ?? null },
  };
}

/** For handlers, not for the filters that answer them. @throws IamError when the body could not be read */
export function assertBodyRead(request: unknown): void {
  const error = findBodyError(requestParts(request).raw);
  if (error !== null) throw error;
}

/** Query or form parameters; one given several times stays an array. */
export function collectParameters(parameters: URLSearchParams): Parameters {
  const collected: Record<string, string | string[]> = Object.create(null) as Record<
    string,
    string | string[]
  >;
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    collected[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return collected;
}

interface RequestParts {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly ip: string | undefined;
  readonly raw: object;
}

/** Express hands over the IncomingMessage itself, Fastify an object that has it in `raw`. */
function requestParts(request: unknown): RequestParts {
  if (!isHttpRequest(request)) throw new TypeError('expected a request of Express or Fastify');
  return {
    headers: request.headers,
    url: request.originalUrl ?? request.url,
    ip: request.ip,
    raw: request.raw ?? request,
  };
}

interface HttpRequest {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly originalUrl?: string;
  readonly ip?: string;
  readonly raw?: object;
}

function isHttpRequest(value: unknown): value is HttpRequest {
  return typeof value === 'object' && value !== null && 'headers' in value && 'url' in value;
}
