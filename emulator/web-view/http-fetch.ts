import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** A single request without redirects or cookies of its own. */
interface FetchOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
  /** Milliseconds for the whole exchange. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** What came back, whole. */
export interface Fetched {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly setCookies: readonly string[];
  readonly body: Buffer;
}

/** Starts a request and returns the response as it begins to arrive. */
export async function open(url: URL, options: FetchOptions): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const { method, headers, signal } = options;
    const outgoing = send(url, { method, headers, agent: false, ...(signal ? { signal } : {}) }, resolve);
    outgoing.once('error', reject);
    outgoing.end(options.body);
  });
}

/** Makes a request and reads its whole answer within the time given. */
export async function fetchOnce(url: URL, options: FetchOptions): Promise<Fetched> {
  const limit = AbortSignal.timeout(options.timeout ?? 60_000);
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
  const response = await open(url, { ...options, signal });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk as Uint8Array));
  return { ...headOf(response), body: Buffer.concat(chunks) };
}

/** Status and headers, with repeated headers joined and cookies apart. */
export function headOf(response: IncomingMessage): Omit<Fetched, 'body'> {
  const { 'set-cookie': setCookies = [], ...headers } = response.headers;
  const flat = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  return { status: response.statusCode ?? 0, headers: Object.fromEntries(flat), setCookies };
}
