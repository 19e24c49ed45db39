import type { IncomingMessage } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { IamError } from '../iam.error.js';
import { collectParameters } from './iam-request.js';
import { keepBody } from './request-body.js';

/** Form and JSON bodies of our endpoints are a few hundred bytes; this is generous. */
const MAX_BYTES = 64 * 1024;
const MAX_MILLISECONDS = 3_000;

/**
 * Parses form and JSON bodies that the host's own parsers left alone (`bodyParser: false`, or Fastify, where this runs
 * first), so that our endpoints work whatever the host configured.
 */
@Injectable()
export class BodyMiddleware implements NestMiddleware {
  async use(
    request: IncomingMessage & { body?: unknown },
    _response: unknown,
    next: (error?: unknown) => void,
  ): Promise<void> {
    if (
      request.method === 'GET' ||
      request.method === 'HEAD' ||
      request.body !== undefined ||
      request.readableEnded
    ) {
      next();
      return;
    }
    try {
      const text = await readText(request);
      keepBody(request, parseBody(text, request.headers['content-type'] ?? ''));
      forgetBody(request);
      next();
    } catch (error) {
      next(error);
    }
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => request.destroy(), MAX_MILLISECONDS);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new IamError('payload_too_large', `more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString('utf8');
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
