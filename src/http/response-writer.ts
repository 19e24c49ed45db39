import type { ServerResponse } from 'node:http';
import type { MessageEvent } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { IamLogger } from '../runtime/iam-logger.js';
import { correlationId } from '../runtime/request-context.js';
import type { IamResponse } from './iam-response.js';
import { takeResponse } from './raw-http.js';

/** What an interceptor, a guard or middleware of the host may have said of an answer that it expected to be its own. */
const ofTheHost = [
  'Content-Type',
  'Content-Length',
  'Content-Encoding',
  'Content-Disposition',
  'Transfer-Encoding',
  'Location',
  'ETag',
  'Last-Modified',
  'Expires',
] as const;

const logger = new IamLogger('IamErrors');

/**
 * Writes an answer to Node's own response, so that nothing of the host's sees, keeps or changes it: no interceptor, no
 * patched `res.json`, no `onSend` hook, no ETag. Once the status line is out nothing can be answered, and nothing is.
 */
export function writeResponse(response: unknown, answer: IamResponse): void {
  const raw = takeResponse(response);
  if (raw.headersSent || raw.destroyed) return;
  for (const name of ofTheHost) raw.removeHeader(name);
  raw.statusCode = answer.status;
  raw.setHeader('X-Request-Id', correlationId());
  for (const [name, value] of Object.entries(answer.headers))
    raw.setHeader(name, name === 'Vary' ? mergeVary(raw.getHeader(name), value.split(',')) : value);
  for (const cookie of answer.cookies) raw.appendHeader('Set-Cookie', cookie);
  if (answer.events !== undefined) writeEvents(raw, answer.events);
  else writeBody(raw, answer);
}

function writeBody(raw: ServerResponse, { status, body }: IamResponse): void {
  const bytes = Buffer.from(body ?? '', 'utf8');
  if (status !== 204) raw.setHeader('Content-Length', bytes.length);
  raw.end(bytes);
}

/** Lives as long as the connection, whatever becomes of the interceptors around the handler. */
function writeEvents(raw: ServerResponse, events: Observable<MessageEvent>): void {
  raw.flushHeaders();
  if (raw.req.method === 'HEAD') {
    raw.end();
    return;
  }
  // The head alone does not tell every client that the stream has begun.
  raw.write('\n');
  const subscription = events.subscribe({
    next: (event) => raw.write(eventText(event)),
    error: (error: unknown) => {
      logger.error('a stream of events ended', error instanceof Error ? error.stack : String(error));
      raw.end();
    },
    complete: () => raw.end(),
  });
  raw.once('close', () => subscription.unsubscribe());
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream; JSON has no line breaks. */
function eventText({ type, data }: MessageEvent): string {
  return `${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** A `Vary` header with more names, each once. */
export function mergeVary(present: unknown, names: readonly string[]): string {
  const lines = [present].flat().filter((line) => typeof line === 'string');
  const all = [...lines.flatMap((line) => line.split(',')), ...names].map((name) => name.trim());
  const once = new Map(all.filter((name) => name !== '').map((name) => [name.toLowerCase(), name]));
  return [...once.values()].join(', ');
}
