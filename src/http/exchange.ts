import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestOrigin } from '../runtime/request-context.js';

/** Goes on to whoever comes after. */
export type Next = (error?: unknown) => void;

/** A raw request on its way in, the same on Express and Fastify. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly next: Next;
  /** As the platform sees it, behind the proxies that it trusts. */
  readonly origin: RequestOrigin;
}
