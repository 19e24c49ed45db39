import type { IncomingMessage, ServerResponse, OutgoingHttpHeaders } from 'node:http';
import type { RequestOrigin } from '../runtime/request-context.js';

/** Node's own request below one of Express, which is one, or of Fastify, which has one; null for anything else. */
function findRawRequest(request: unknown): IncomingMessage | null {
  const raw = rawOf(request);
  return isRequest(raw) ? raw : null;
}

/**
 * Node's own response, for us alone to write: Fastify runs no hooks or serializers on it and does not end it.
 * @throws TypeError for anything but a response of Express or Fastify
 */
export function takeResponse(response: unknown): ServerResponse {
  const raw = rawOf(response);
  if (!isResponse(raw)) throw new TypeError('expected a response of Express or Fastify');
  if (!isReply(response)) return raw;
  if (!raw.headersSent)
    for (const [name, value] of Object.entries(response.getHeaders()))
      if (isHeaderValue(value)) raw.setHeader(name, value);
  response.hijack();
  return raw;
}

interface Reply {
  getHeaders(): Readonly<Record<string, unknown>>;
  hijack(): unknown;
}

function rawOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'raw' in value ? value.raw : value;
}

function isRequest(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'headers' in value && 'url' in value;
}

function isResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'writeHead' in value && 'setHeader' in value;
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && 'hijack' in value && 'getHeaders' in value;
}

function isHeaderValue(value: unknown): value is string | number | string[] {
  return typeof value === 'string' || typeof value === 'number' || Array.isArray(value);
}

/** Passes the request on to the next handler. */
export type Next = (error?: unknown) => void;

/** A raw request on its way in, the same on Express and Fastify. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly next: Next;
  /** As the platform sees it, behind the proxies that it trusts. */
  readonly origin: RequestOrigin;
}

const own = new WeakSet<object>();
const claimed = new WeakSet<object>();

/** Notes that a raw request is for one of our endpoints. */
export function markAsOwn(raw: object): void {
  own.add(raw);
}

/**
 * True for a request to one of the module's endpoints, so that a global guard, an interceptor or middleware of the host can
 * let it pass. Takes a request of Express or Fastify, or Node's own; a route of the host under the same path is not ours.
 */
export function isIamRequest(request: unknown): boolean {
  const raw = findRawRequest(request);
  return raw !== null && own.has(raw);
}

/**
 * Reserves the response for the caller. False when it is reserved already: a handler may still run after an interceptor of
 * the host has stopped waiting for it, or run again because one tries again.
 */
export function claim(request: unknown, response: unknown): boolean {
  const raw = findRawRequest(request);
  if (raw === null || claimed.has(raw)) return false;
  claimed.add(raw);
  takeResponse(response);
  return true;
}

/**
 * Runs `overrule` at the last moment before the head of a response is written, on the headers that middleware
 * after us and Fastify have set; Fastify hands its own over only then.
 */
export function overruleHeaders(
  response: ServerResponse,
  overrule: (response: ServerResponse) => void,
): void {
  const writeHead: unknown = Reflect.get(response, 'writeHead');
  if (typeof writeHead !== 'function') return;
  Reflect.set(response, 'writeHead', (status: number, ...rest: readonly unknown[]): unknown => {
    for (const [name, value] of Object.entries(rest.find(isHeaders) ?? {}))
      if (value !== undefined) response.setHeader(name, value);
    overrule(response);
    const written: unknown = Reflect.apply(writeHead, response, [
      status,
      ...rest.filter((each) => !isHeaders(each)),
    ]);
    return written;
  });
}

/** Not the flat list of names and values that Node takes too; such a list is passed on unchanged. */
function isHeaders(value: unknown): value is OutgoingHttpHeaders {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
