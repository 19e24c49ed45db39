import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** A request as the emulator's pages and APIs see it. */
export interface Incoming {
  readonly method: string;
  readonly path: string;
  /** What stands after `?`, exactly as sent: WeChat checks the order of parameters. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly remoteAddress: string;
  /** It came by https. */
  readonly isSecure: boolean;
  /** Named parts of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** Fires when the caller has gone away or the emulator stops. */
  readonly signal: AbortSignal;
}

/** What is sent back; a stream is passed on as it arrives. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | Buffer | Readable;
}

/** Answers one request. */
export type Responder = (incoming: Incoming) => Answer | Promise<Answer>;

/** A header's first value, or an empty string. */
export function header(incoming: Pick<Incoming, 'headers'>, name: string): string {
  const value = incoming.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** The fields of a form body. */
export function form(incoming: Pick<Incoming, 'body'>): URLSearchParams {
  return new URLSearchParams(incoming.body.toString('utf8'));
}
