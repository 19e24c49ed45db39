import { Injectable } from '@nestjs/common';
import { ErrorResponder } from './iam-error.filter.js';
import type { Exchange } from './raw-http.js';
import { keepBody, readBody } from './request-body.js';

const methodsWithBody: ReadonlySet<string | undefined> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** How long the rest of a refused body is read and dropped: clients read the response only when they have sent it all. */
const DROP_MS = 1_000;

/**
 * Reads the bodies of our endpoints before any parser of the host: WeChat's signature covers bytes that a parser does not
 * keep, and a parser refuses a body in its own words.
 */
@Injectable()
export class BodyReader {
  constructor(private readonly responder: ErrorResponder) {}

  /** Calls `next` once the body is read, or responds that it cannot be. */
  receive(exchange: Exchange): void {
    const { request, next } = exchange;
    if (methodsWithBody.has(request.method)) void this.read(exchange);
    else next();
  }

  private async read(exchange: Exchange): Promise<void> {
    const { request, response, next } = exchange;
    try {
      keepBody(request, await readBody(request));
    } catch (error) {
      this.refuse(error, exchange);
      return;
    }
    response.once('close', () => request.resume());
    next();
  }

  /** Responds without the host's parsers and filters: neither may meet what is left of the request. */
  private refuse(error: unknown, { request, response }: Exchange): void {
    this.responder.respond(error, request, response);
    request.resume();
    setTimeout(() => {
      if (!request.complete) request.destroy();
    }, DROP_MS).unref();
  }
}
