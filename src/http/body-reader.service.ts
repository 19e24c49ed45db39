import { Injectable } from '@nestjs/common';
import { correlationId } from '../runtime/request-context.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { oauthError, problem, logFailure } from './error-responses.js';
import type { Exchange } from './raw-http.js';
import { readRequest } from './iam-request.js';
import { findOAuthEndpoint } from './endpoint.decorator.js';
import { readBody, keepBody } from './request-body.js';
import { toIamError } from './to-iam-error.js';

const methodsWithBody: ReadonlySet<string | undefined> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** How long the rest of a refused body is taken in and dropped: clients read the answer only when they have sent it all. */
const DROP_MS = 1_000;

/**
 * Reads the bodies of our endpoints before any parser of the host: WeChat's signature covers bytes that no parser gives
 * back, and what a parser refuses it refuses in its own words.
 */
@Injectable()
export class BodyReader {
  private readonly logger = new IamLogger('IamErrors');

  /** Goes on once the body is read, or answers that it cannot be. */
  receive(endpoint: string, exchange: Exchange): void {
    const { request, next } = exchange;
    if (methodsWithBody.has(request.method)) void this.read(endpoint, exchange);
    else next();
  }

  private async read(endpoint: string, exchange: Exchange): Promise<void> {
    const { request, response, next } = exchange;
    try {
      keepBody(request, await readBody(request));
    } catch (error) {
      this.refuse(endpoint, error, exchange);
      return;
    }
    response.once('close', () => request.resume());
    next();
  }

  /** Answered here, past the host's parsers and filters: neither may meet what is left of the request. */
  private refuse(endpoint: string, thrown: unknown, { request, response }: Exchange): void {
    const error = toIamError(thrown);
    const id = correlationId();
    logFailure(this.logger, error);
    if (request.destroyed) return;
    const oauthEndpoint = findOAuthEndpoint(endpoint);
    const { status, headers, body } =
      oauthEndpoint === null
        ? problem(error, readRequest(request).language, id)
        : oauthError(error, oauthEndpoint);
    response.writeHead(status, { ...headers, 'X-Request-Id': id }).end(body);
    request.resume();
    setTimeout(() => {
      if (!request.complete) request.destroy();
    }, DROP_MS).unref();
  }
}
