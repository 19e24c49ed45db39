import type { IncomingMessage, ServerResponse } from 'node:http';

/** Node's own request below one of Express, which is one, or of Fastify, which has one; null for anything else. */
export function findRawRequest(request: unknown): IncomingMessage | null {
  const raw = rawOf(request);
  return isRequest(raw) ? raw : null;
}

/** @throws TypeError for what is no response of Express or Fastify */
export function rawResponse(response: unknown): ServerResponse {
  const raw = rawOf(response);
  if (!isResponse(raw)) throw new TypeError('expected a response of Express or Fastify');
  return raw;
}

/** Node's own response, for us alone to write: Fastify keeps its hooks, serializers and its own end of the request away. */
export function takeResponse(response: unknown): ServerResponse {
  const raw = rawResponse(response);
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
