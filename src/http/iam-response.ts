import type { ServerResponse } from 'node:http';
import { serialize } from 'cookie';
import type { ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { isRecord } from '../errors/unknown.js';
import { correlationId } from '../runtime/request-context.js';
import { takeResponse } from './raw-http.js';

/** A connection that gets server-sent events. */
export interface EventSink {
  send(type: string, data: object): void;
  end(): void;
}

/** Sends events to a connection from now on; what it returns is called when the connection has closed. */
export type EventSource = (sink: EventSink) => () => void;

/** A response, the same on Express and Fastify; `ResponseInterceptor` writes it. */
export interface IamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Serialized `Set-Cookie` values. */
  readonly cookies: readonly string[];
  readonly body: string | Uint8Array | null;
  /** Server-sent events in place of a body. */
  readonly events?: EventSource;
}

/** On every response: no caching, no sniffing, no referrer for the next site (RFC 6749 §5.1, RFC 9700 §4.2). */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

/** `body` as JSON. */
export function json(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): IamResponse {
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  return {
    status,
    headers: { ...securityHeaders, ...type, ...headers },
    cookies: [],
    body: JSON.stringify(body),
  };
}

/** The name of a cookie of ours: on https with the prefix `__Host-`, which a sibling domain cannot set. */
export const cookieName = (name: string, { isHttps }: Pick<ResolvedIamOptions, 'isHttps'>): string =>
  isHttps ? `__Host-${name}` : name;

/** Its `Set-Cookie` value, for so many seconds. `Lax`: it comes with navigations, from WeChat and to the host's pages. */
export function setCookie(
  { name, value, maxAge }: { readonly name: string; readonly value: string; readonly maxAge: number },
  { isHttps: secure }: Pick<ResolvedIamOptions, 'isHttps'>,
): string {
  return serialize(name, value, { httpOnly: true, secure, sameSite: 'lax', path: '/', maxAge });
}

/** No content. */
export function empty(status: number, headers: Readonly<Record<string, string>> = {}): IamResponse {
  return { status, headers: { ...securityHeaders, ...headers }, cookies: [], body: null };
}

/** A redirect; 303 turns any method into GET (RFC 9700 §4.12). */
export function redirect(location: string, status: 302 | 303, cookies: readonly string[] = []): IamResponse {
  return { status, headers: { ...securityHeaders, Location: location }, cookies, body: null };
}

/** Server-sent events. `no-transform` keeps compression away, which would hold them back. */
export function eventStream(events: EventSource): IamResponse {
  const headers = {
    ...securityHeaders,
    'Cache-Control': 'no-store, no-transform',
    'Content-Type': 'text/event-stream; charset=utf-8',
    'X-Accel-Buffering': 'no',
  };
  return { status: 200, headers, cookies: [], body: null, events };
}

/** A plain value with the `ETag` of its response, for a value without a member `etag`. */
export class Tagged<T> {
  constructor(
    readonly value: T,
    readonly etag: string,
  ) {}
}

/** A plain value for a response of 201; its `Location` is `path`, below the option `path`. */
export class Created<T> {
  constructor(
    readonly value: T | Tagged<T>,
    readonly path: string | null = null,
  ) {}
}

/** True for a response that a handler has made itself. */
export function isIamResponse(value: unknown): value is IamResponse {
  return isRecord(value) && 'cookies' in value && 'headers' in value && 'status' in value;
}

/** A version as an `ETag` (RFC 9110 §8.8.3). */
export function toEtag(version: string): string {
  return `"${version}"`;
}

/**
 * The version that a change is based on, from `If-Match`; null for `*`, the current one.
 * @throws IamError `precondition_required` (RFC 6585 §3), or `precondition_failed` for an ETag that is not ours
 */
export function readIfMatch(header: string | undefined): string | null {
  if (header === undefined) throw new IamError('precondition_required', 'no If-Match');
  if (header.trim() === '*') return null;
  const [, version] = /^"([0-9a-f]{32})"$/.exec(header.trim()) ?? [];
  if (version === undefined) throw new IamError('precondition_failed', 'If-Match is not an ETag of ours');
  return version;
}

/** Refuses a change of a row that has changed since. @throws IamError `precondition_failed` */
export function requireVersion(row: { readonly version: string }, expected: string | null): void {
  if (expected !== null && row.version !== expected)
    throw new IamError('precondition_failed', 'changed since it was read');
}

/** Headers that an interceptor, a guard or middleware of the host may have set for a response of its own. */
const hostHeaders: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'content-disposition',
  'transfer-encoding',
  'location',
  'etag',
  'last-modified',
  'expires',
]);

/**
 * Writes to Node's own response, so that no interceptor, patched `res.json` or `onSend` hook of the host sees or changes it.
 * Does nothing once the status line is out.
 */
export function writeResponse(
  response: unknown,
  { status, headers, cookies, body, events }: IamResponse,
): void {
  const raw = takeResponse(response);
  if (raw.headersSent || raw.destroyed) return;
  for (const name of raw.getHeaderNames()) if (hostHeaders.has(name)) raw.removeHeader(name);
  raw.statusCode = status;
  raw.setHeader('X-Request-Id', correlationId());
  for (const [name, value] of Object.entries(headers))
    raw.setHeader(name, name === 'Vary' ? mergeVary(raw.getHeader(name), value.split(',')) : value);
  for (const cookie of cookies) raw.appendHeader('Set-Cookie', cookie);
  if (events !== undefined) {
    writeEvents(raw, events);
    return;
  }
  const content = body ?? '';
  if (status !== 204 && status !== 304) raw.setHeader('Content-Length', Buffer.byteLength(content));
  // Text leaves with the head in one piece.
  raw.end(content);
}

/** Lives as long as the connection; an interceptor that stops waiting for the handler does not end it. */
function writeEvents(raw: ServerResponse, events: EventSource): void {
  raw.flushHeaders();
  if (raw.req.method === 'HEAD') {
    raw.end();
    return;
  }
  // Some clients report the stream as open only at its first byte.
  raw.write('\n');
  // Express's way to the next handler, with all that it holds.
  if ('next' in raw.req) raw.req.next = undefined;
  try {
    raw.once('close', events(new ResponseSink(raw)));
  } catch (error) {
    // The status is out: only the end of the connection tells the client.
    raw.destroy();
    throw error;
  }
}

/** How long a client may take to read the last of its events. */
const LAST_READ_MS = 2_000;

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream; JSON has no line breaks. */
class ResponseSink implements EventSink {
  constructor(private readonly raw: ServerResponse) {}

  send(type: string, data: object): void {
    // Until it has closed, it may be told more; a write then would be an error that ends the process.
    if (this.raw.writableEnded || this.raw.destroyed) return;
    this.raw.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    if (this.raw.writableEnded || this.raw.destroyed) return;
    this.raw.end();
    // A client that does not read would keep the connection, with all that it holds, for as long as it likes.
    const timer = setTimeout(() => this.raw.destroy(), LAST_READ_MS).unref();
    this.raw.once('close', () => clearTimeout(timer));
  }
}

/** A `Vary` header with more names, each once. */
export function mergeVary(present: unknown, names: readonly string[]): string {
  const lines = [present].flat().filter((line) => typeof line === 'string');
  const all = [...lines.flatMap((line) => line.split(',')), ...names].map((name) => name.trim());
  const once = new Map(all.filter((name) => name !== '').map((name) => [name.toLowerCase(), name]));
  return [...once.values()].join(', ');
}
