import type { IncomingMessage } from 'node:http';
import { parse as parseCookies } from 'cookie';
import { isRecord } from '../errors/unknown.js';
import { currentContext, type RequestOrigin } from '../runtime/request-context.js';
import {
  classifyBrowser,
  type Browser,
  languageOfLocales,
  preferredLanguage,
  type Language,
} from './user-agent.js';
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

/** Reads an Express or Fastify request: each part when it is first needed, since most routes need few. */
export function readRequest(request: unknown): IamRequest {
  return new HostRequest(toHttpRequest(request));
}

class HostRequest implements IamRequest {
  /** No pipe or log of the host gets at the whole request by it. */
  readonly #http: HttpRequest;
  #query: Parameters | undefined;
  #cookies: IamRequest['cookies'] | undefined;

  constructor(http: HttpRequest) {
    this.#http = http;
  }

  get method() {
    return this.#http.method?.toUpperCase() ?? '';
  }

  get path() {
    return readTarget(this.#http).path;
  }

  get query() {
    return (this.#query ??= collectParameters(new URLSearchParams(readTarget(this.#http).query)));
  }

  get body() {
    return this.#kept.parsed;
  }

  get rawBody() {
    return this.#kept.bytes;
  }

  get contentType() {
    return this.#kept.type ?? this.#http.headers['content-type'];
  }

  get cookies() {
    return (this.#cookies ??= parseCookies(this.cookieHeader));
  }

  get cookieHeader() {
    return this.#http.headers.cookie ?? '';
  }

  get authorization() {
    return this.#http.headers.authorization;
  }

  get ifMatch() {
    return this.#http.headers['if-match'];
  }

  get requestOrigin() {
    return this.#http.headers.origin;
  }

  get isUpgrade() {
    return this.#http.headers.upgrade !== undefined;
  }

  /** A header that came twice is not trusted. */
  get fetchSite() {
    const { 'sec-fetch-site': site } = this.#http.headers;
    return typeof site === 'string' ? site : undefined;
  }

  get browser() {
    return classifyBrowser(this.#http.headers['user-agent']);
  }

  get language() {
    return (
      languageOfLocales(this.query['ui_locales']) ?? preferredLanguage(this.#http.headers['accept-language'])
    );
  }

  get wantsPage() {
    return (this.#http.headers.accept ?? '').includes('text/html');
  }

  /** As the request came: a client that has hung up shows no address any more. */
  get origin() {
    return currentContext()?.origin ?? readOrigin(this.#http);
  }

  get #kept() {
    return findBody(this.#http, this.#http.raw ?? this.#http);
  }
}

/** The address and browser of a request; Node's own knows the address of the connection alone. */
export function readOrigin(request: unknown): RequestOrigin {
  const { headers, ip, socket } = toHttpRequest(request);
  return {
    ip: ip ?? socket?.remoteAddress ?? null,
    userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
  };
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

/** A request of Express, which is Node's own, or of Fastify, which has Node's own in `raw`. */
interface HttpRequest {
  readonly method?: string;
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly originalUrl?: string;
  readonly ip?: string | null;
  readonly socket?: { readonly remoteAddress?: string | undefined };
  readonly raw?: object;
}

function toHttpRequest(request: unknown): HttpRequest {
  if (!isHttpRequest(request)) throw new TypeError('expected a request of Express or Fastify');
  return request;
}

/** A request of Express, Fastify or Node, or the handshake of a socket. */
export function isHttpRequest(value: unknown): value is HttpRequest & Record<string, unknown> {
  return isRecord(value) && isRecord(value['headers']) && typeof value['url'] === 'string';
}
