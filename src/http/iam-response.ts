import type { MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';

/** What an edge answers, independent of Express and Fastify; `ResponseInterceptor` writes it. */
export interface IamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Serialized `Set-Cookie` values. */
  readonly cookies: readonly string[];
  readonly body: string | null;
  /** Server-sent events in place of a body. */
  readonly events?: Observable<MessageEvent>;
}

/** On every answer: nothing is cached, sniffed or told to the next site (RFC 6749 §5.1, RFC 9700 §4.2). */
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

/** No content. */
export function empty(status: number, headers: Readonly<Record<string, string>> = {}): IamResponse {
  return { status, headers: { ...securityHeaders, ...headers }, cookies: [], body: null };
}

/** A redirect that turns any method into GET (RFC 9700 §4.12). */
export function redirect(location: string, status: 302 | 303, cookies: readonly string[] = []): IamResponse {
  return { status, headers: { ...securityHeaders, Location: location }, cookies, body: null };
}

/** Server-sent events. `no-transform` keeps compression away, which would hold them back. */
export function eventStream(events: Observable<MessageEvent>): IamResponse {
  const headers = {
    ...securityHeaders,
    'Cache-Control': 'no-store, no-transform',
    'Content-Type': 'text/event-stream; charset=utf-8',
    'X-Accel-Buffering': 'no',
  };
  return { status: 200, headers, cookies: [], body: null, events };
}

/** A plain value whose response names its version, which the value itself does not show. */
export class Tagged<T> {
  constructor(
    readonly value: T,
    readonly etag: string,
  ) {}
}

/** A plain value that the request has made: 201, with its `Location` where it has a path below the option `path`. */
export class Created<T> {
  constructor(
    readonly value: T | Tagged<T>,
    readonly path: string | null,
  ) {}
}

/** For a handler to return. */
export function created<T>(value: T | Tagged<T>, path: string | null = null): Created<T> {
  return new Created(value, path);
}

/** True for a response that a handler has made itself. */
export function isIamResponse(value: unknown): value is IamResponse {
  return (
    typeof value === 'object' &&
    value !== null &&
    'cookies' in value &&
    'headers' in value &&
    'status' in value
  );
}
