import { once } from 'node:events';
import { get, IncomingMessage } from 'node:http';

/** An open stream of server-sent events. */
export interface EventStream {
  readonly status: number;
  readonly headers: Headers;
  /** The types of the events so far, in order, heartbeats left out. */
  readonly types: readonly string[];
  /** Everything received so far. */
  readonly text: () => string;
  /** Resolves when the server has ended the stream, or after `close`. */
  readonly ended: Promise<void>;
  /** Resolves when an event of this type has come; rejects when the stream ends without one. */
  until(type: string): Promise<void>;
  close(): void;
}

/**
 * Opens `GET …/events` as an EventSource does, without its reconnecting. Not by `fetch`: of a stream that is aborted, Node 20's
 * opens the connection once more and sends nothing on it, and a Fastify host waits half a minute for that one when it closes.
 */
export async function openEvents(url: string): Promise<EventStream> {
  const abort = new AbortController();
  const request = get(url, { headers: { accept: 'text/event-stream' }, agent: false, signal: abort.signal });
  const answers: unknown[] = await once(request, 'response');
  const [response] = answers;
  if (!(response instanceof IncomingMessage)) throw new TypeError('expected a response');
  // What the response does not tell its reader, as an abort.
  request.on('error', () => undefined);
  let text = '';
  const types: string[] = [];
  const waiters = new Map<string, () => void>();
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response) {
      text += decoder.decode(toBytes(bytes), { stream: true });
      types.splice(0, types.length, ...typesIn(text));
      for (const type of types) waiters.get(type)?.();
    }
  };
  const ended = read().catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  const until = async (type: string) => {
    if (types.includes(type)) return;
    const seen = new Promise<boolean>((resolve) => waiters.set(type, () => resolve(true)));
    if (!(await Promise.race([seen, ended.then(() => types.includes(type))])))
      throw new Error(`the stream ended without "${type}": ${types.join(' ')}`);
  };
  return {
    status: response.statusCode ?? 0,
    headers: new Headers(
      Object.entries(response.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
    ),
    types,
    text: () => text,
    ended,
    until,
    close: () => abort.abort(),
  };
}

/** The events of a login at another replica than the one whose address this is. */
export function eventsAt({ url }: { readonly url: string }, eventsUri: string): string {
  const { pathname, search } = new URL(eventsUri);
  return `${url}${pathname}${search}`;
}

/** Waits until the replicas that answer at these addresses know that it has come so far with the login. */
export async function untilSeen(type: string, ...eventsUris: readonly string[]): Promise<void> {
  const streams = await Promise.all(eventsUris.map(openEvents));
  await Promise.all(streams.map((stream) => stream.until(type)));
  for (const stream of streams) stream.close();
}

function typesIn(text: string): string[] {
  return [...text.matchAll(/^event: (\w+)$/gm)]
    .map(([, type = '']) => type)
    .filter((type) => type !== 'heartbeat');
}

function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError('expected bytes');
}
