import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { Exchange } from './exchange.js';
import { mergeVary } from './merge-vary.js';
import { overruleHeaders } from './overrule-headers.js';

/** The first part of the endpoints that scripts call; the others are for navigations, for WeChat and for our own pages. */
const forScripts: ReadonlySet<string> = new Set([
  'providers',
  'token',
  'revoke',
  'device_authorization',
  'jwks',
  '.well-known',
  'me',
  'admin',
]);

/** The first part of those whose answer depends on who asks. */
const personal: ReadonlySet<string> = new Set(['me', 'admin']);

const PREFLIGHT_SECONDS = 600;
const preflightHeaders = {
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, If-Match',
  'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
} as const;

/**
 * CORS of our endpoints: the scripts of the clients' `origins` and nobody else, whatever CORS the host has for its own
 * routes. Only for cookie clients may they send the browser's cookies along.
 */
@Injectable()
export class Cors {
  /** Whether the scripts of an origin may send cookies. */
  private readonly origins: ReadonlyMap<string, boolean>;

  constructor(@Inject(IAM_OPTIONS) { clients }: ResolvedIamOptions) {
    const origins = new Map<string, boolean>();
    for (const { origins: named, tokens } of clients.values())
      for (const origin of named) origins.set(origin, tokens === 'cookie' || origins.get(origin) === true);
    this.origins = origins;
  }

  /** Sees to the CORS headers of the answer to come, which may be that of a preflight. */
  apply(endpoint: string, { request, response }: Exchange): void {
    const [area = ''] = endpoint.split('/');
    const granted = forScripts.has(area) ? this.grant(request.headers.origin) : null;
    const headers = { ...granted, ...(isPreflight(request) && granted !== null && preflightHeaders) };
    const vary = personal.has(area) ? ['Origin', 'Authorization', 'Cookie'] : ['Origin'];
    overruleHeaders(response, () => replaceCors(response, headers, vary));
  }

  /** The headers that let a script of this origin read an answer; null for an origin that is not a client's. */
  grant(origin: string | undefined): Record<string, string> | null {
    const withCookies = origin === undefined ? undefined : this.origins.get(origin);
    if (origin === undefined || withCookies === undefined) return null;
    return {
      'Access-Control-Allow-Origin': origin,
      ...(withCookies && { 'Access-Control-Allow-Credentials': 'true' }),
      'Access-Control-Expose-Headers': 'ETag, Retry-After, WWW-Authenticate',
    };
  }
}

/** What was set for the host's routes does not hold on ours. */
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
