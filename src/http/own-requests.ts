import { findRawRequest, takeResponse } from './raw-http.js';

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
 * Who claims a request answers it, alone: a handler may go on after an interceptor of the host has given up waiting, or
 * be asked for again by one that tries again. False: somebody has claimed it before.
 */
export function claim(request: unknown, response: unknown): boolean {
  const raw = findRawRequest(request);
  if (raw === null || claimed.has(raw)) return false;
  claimed.add(raw);
  takeResponse(response);
  return true;
}
