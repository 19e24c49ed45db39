import { type Agent, request } from 'undici';
import type { Shot } from '../measure/http-shots.js';

/** A request that did not get what it was sent for. */
interface Failure {
  /** Of `performance.now()`. */
  readonly at: number;
  readonly operation: string;
  readonly reason: string;
}

/** A response that arrived whole. */
export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly location: URL | null;
  /** Name and value of the first cookie. */
  readonly cookie: string;
}

/** What WeChat, a browser and a page's script wait for at most. */
const TIMEOUT_MS = 5_000;
/** What a poll gets until the person has decided. */
export const waiting = /authorization_pending|slow_down/;

/** Sends requests to the proxy and writes down every one that fails. */
export class Client {
  readonly counts = new Map<string, number>();
  readonly failures: Failure[] = [];

  constructor(
    private readonly url: string,
    private readonly agent: Agent,
  ) {}

  /** Null: no response of a replica arrived, so nobody knows what the request has changed. */
  async send(operation: string, shot: Shot): Promise<Reply | null> {
    this.count(operation);
    const { path, method = 'GET', headers = {}, body = null } = shot;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const options = { method, headers, body, dispatcher: this.agent, signal };
    try {
      const answer = await request(this.url + path, options);
      const text = await answer.body.text();
      const { location, 'set-cookie': cookies = '', 'x-replica': replica } = answer.headers;
      if (replica !== undefined) return this.fail(operation, String(replica));
      const reply = {
        status: answer.statusCode,
        text,
        location: typeof location === 'string' ? new URL(location) : null,
        cookie: String(cookies).split(';')[0] ?? '',
      };
      const reason = reasonOf(reply);
      if (reason !== null) this.fail(operation, reason);
      return reply;
    } catch (error) {
      return this.fail(operation, signal.aborted ? 'timeout' : `connection cut (${codeOf(error)})`);
    }
  }

  /** Counts a request that somebody else sent; null: it did not fail. */
  note(operation: string, reason: string | null): void {
    this.count(operation);
    if (reason !== null) this.fail(operation, reason);
  }

  private count(operation: string): void {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
  }

  private fail(operation: string, reason: string): null {
    this.failures.push({ at: performance.now(), operation, reason });
    return null;
  }
}

/** Also of a redirect that brings an error back to the client. */
function reasonOf({ status, text, location }: Reply): string | null {
  const returned = location?.searchParams.get('error') ?? null;
  if (returned !== null) return `redirect ${returned}`;
  if (status < 400 || waiting.test(text)) return null;
  const [, code = ''] = /"(?:code|error)":"(\w+)"/.exec(text) ?? [];
  return `${status} ${code}`.trim();
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
