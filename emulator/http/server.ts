import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createSocketServer, type Server as SocketServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallLog } from '../calls.js';
import type { EmulatorClock } from '../clock.js';
import type { Fault, FaultRegistry } from '../faults.js';
import type { Answer, Incoming } from './exchange.js';
import { findRoute, type Route, type RouteMatch } from './router.js';
import { patched, replacement, replacesAnswer } from './tamper.js';
import type { ServerCertificate } from './certificates.js';
import { transmit } from './transmit.js';

/** What the server needs besides its routes. */
interface ServerParts {
  readonly routes: () => readonly Route[];
  readonly faults: FaultRegistry;
  readonly calls: CallLog;
  readonly clock: EmulatorClock;
  /** WeChat's error body in the style of the path that was asked. */
  readonly asError: (path: string, errcode: number, errmsg?: string) => Answer;
}

/** The type of the first record of a TLS connection (RFC 8446 §5.1); no HTTP method begins with it. */
const tlsHandshake = 22;
const largestBody = 4 * 1024 * 1024;
const nowhere: Answer = { status: 404, headers: { 'content-type': 'text/plain' }, body: 'Not Found' };

/** Node's own server with a route table: no framework, because it must be able to answer badly on purpose. */
export class EmulatorServer {
  readonly #http: Server;
  readonly #sockets = new Set<Socket>();
  #listening: SocketServer | undefined;
  readonly #stopping = new AbortController();

  constructor(private readonly parts: ServerParts) {
    this.#http = createServer((request, response) => void this.#serve(request, response));
  }

  /** Listens and returns the port. With a certificate the same port speaks TLS too: the first byte of a connection tells. */
  async start(port: number, host: string, certificate?: ServerCertificate): Promise<number> {
    const server = certificate === undefined ? this.#http : this.#bothServers(certificate);
    this.#listening = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the emulator has no port');
    return address.port;
  }

  #bothServers({ key, cert }: ServerCertificate): SocketServer {
    const tls = createTlsServer({ key, cert }, (request, response) => void this.#serve(request, response));
    return createSocketServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      socket.once('data', (bytes: Buffer) => {
        socket.pause();
        socket.unshift(bytes);
        (bytes[0] === tlsHandshake ? tls : this.#http).emit('connection', socket);
        process.nextTick(() => socket.resume());
      });
    });
  }

  /** Cuts every connection and stops listening. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await new Promise<void>((resolve) => {
      if (this.#listening === undefined) resolve();
      this.#listening?.close(() => resolve());
      this.#http.closeAllConnections();
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.on('error', () => undefined);
    try {
      const incoming = await this.#read(request, gone.signal);
      const match = findRoute(this.parts.routes(), incoming);
      const fault = match?.route.quiet ? {} : this.#admit(incoming);
      const answer = await this.#answer(incoming, match, fault);
      if (!gone.signal.aborted) await transmit(response, answer, fault, incoming.signal);
    } catch (error) {
      if (!response.headersSent && !gone.signal.aborted) this.#crash(response, error);
    }
  }

  async #read(request: IncomingMessage, gone: AbortSignal): Promise<Incoming> {
    const [path = '/', ...rest] = (request.url ?? '/').split('?');
    const rawQuery = rest.join('?');
    return {
      method: request.method ?? 'GET',
      path,
      rawQuery,
      query: new URLSearchParams(rawQuery),
      headers: request.headers,
      body: await readBody(request),
      remoteAddress: request.socket.remoteAddress ?? '',
      isSecure: 'encrypted' in request.socket,
      params: {},
      signal: AbortSignal.any([gone, this.#stopping.signal]),
    };
  }

  /** Logs a call and returns the fault that waits for it. */
  #admit({ method, path, query, headers, body }: Incoming): Fault {
    this.parts.calls.record({
      method,
      path,
      query: Object.fromEntries(query),
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      body: body.toString('utf8'),
      at: new Date(this.parts.clock.now()),
    });
    return this.parts.faults.take(path) ?? {};
  }

  async #answer(incoming: Incoming, match: RouteMatch | undefined, fault: Fault): Promise<Answer> {
    const replaces = replacesAnswer(fault);
    if (!fault.afterConsuming) await held(fault, incoming.signal);
    const untouched = (replaces && !fault.afterConsuming) || incoming.signal.aborted;
    const real = untouched ? undefined : await respond(incoming, match);
    if (fault.afterConsuming) await held(fault, incoming.signal);
    if (real && !replaces) return patched(real, fault);
    return replacement(fault, (errcode, errmsg) => this.parts.asError(incoming.path, errcode, errmsg));
  }

  #crash(response: ServerResponse, error: unknown): void {
    response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(
      `The emulator failed: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`,
    );
  }
}

async function respond(incoming: Incoming, match: RouteMatch | undefined): Promise<Answer> {
  return match ? match.route.respond({ ...incoming, params: match.params }) : nowhere;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size <= largestBody) chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** Waits as the fault says, no longer than for the caller. */
async function held({ delay, until }: Fault, signal: AbortSignal): Promise<void> {
  if (delay !== undefined) await sleep(delay, undefined, { signal }).catch(() => undefined);
  if (until === undefined || signal.aborted) return;
  await Promise.race([until, once(signal, 'abort')]);
}
