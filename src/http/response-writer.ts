import type { ServerResponse } from 'node:http';
import { correlationId } from '../runtime/request-context.js';
import type { EventSink, EventSource, IamResponse } from './iam-response.js';
import { takeResponse } from './raw-http.js';

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
