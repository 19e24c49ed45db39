import type { IncomingMessage } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { collectParameters } from './iam-request.js';
import { keepBody, keepBodyError } from './request-body.js';

/** Form and JSON bodies of our endpoints are a few hundred bytes; this is generous. */
const MAX_BYTES = 64 * 1024;
const MAX_MILLISECONDS = 3_000;

/**
 * Parses form and JSON bodies that the host's own parsers left alone or as text (`bodyParser: false`, or Fastify, where
 * this runs first), so that our endpoints work whatever the host configured.
 */
@Injectable()
export class BodyMiddleware implements NestMiddleware {
  async use(
    request: IncomingMessage & { body?: unknown },
    _response: unknown,
    next: (error?: unknown) => void,
  ): Promise<void> {
    const type = request.headers['content-type'] ?? '';
    if (typeof request.body === 'string' || Buffer.isBuffer(request.body))
      keepBody(request, parseBody(request.body.toString('utf8'), type));
    else if (isUnread(request)) {
      const text = await readText(request);
      if (text instanceof IamError) keepBodyError(request, text);
      else keepBody(request, parseBody(text, type));
      forgetBody(request);
    }
    next();
  }
}

function isUnread({ method, body, readableEnded }: IncomingMessage & { body?: unknown }): boolean {
  return method !== 'GET' && method !== 'HEAD' && body === undefined && !readableEnded;
}

/**
 * An error is returned, not thrown: the controller throws it, so that our filters answer and not the host's. The rest of
 * a body that is too large is still taken in and dropped, for clients read the answer only when they have sent it all.
 */
async function readText(request: IncomingMessage): Promise<string | IamError> {
  const timer = setTimeout(() => request.destroy(), MAX_MILLISECONDS);
  request.once('close', () => clearTimeout(timer));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_BYTES) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    return new IamError('request_too_slow', 'the body did not arrive', { cause });
  }
  if (size <= MAX_BYTES) return Buffer.concat(chunks).toString('utf8');
  request.resume();
  return new IamError('payload_too_large', `more than ${MAX_BYTES} bytes`);
}

function parseBody(text: string, contentType: string): unknown {
  if (/^application\/(.+\+)?json\b/i.test(contentType)) return parseJson(text);
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType))
    return collectParameters(new URLSearchParams(text));
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Fastify decides by these headers whether a body is still to be read; it has been. */
function forgetBody(request: IncomingMessage): void {
  delete request.headers['content-type'];
  delete request.headers['transfer-encoding'];
  request.headers['content-length'] = '0';
}
