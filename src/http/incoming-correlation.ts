import type { IncomingHttpHeaders } from 'node:http';

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** W3C Trace Context §3.2: version, trace id, parent id, flags. */
const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * The id under which the caller knows this request, so that one search finds both sides: `X-Request-Id` where it is a UUID,
 * else the trace id of `traceparent` in the form of one. Undefined for anything else: what it says would end up in the log.
 */
export function incomingCorrelationId(headers: IncomingHttpHeaders): string | undefined {
  const { 'x-request-id': requestId, traceparent } = headers;
  if (typeof requestId === 'string' && uuidForm.test(requestId)) return requestId.toLowerCase();
  const [, trace] = typeof traceparent === 'string' ? (traceparentForm.exec(traceparent) ?? []) : [];
  return trace?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
