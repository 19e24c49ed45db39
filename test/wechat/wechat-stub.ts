import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type IamResponse = (response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers as a test says, for faults on the wire; it knows nothing of WeChat. */
export class WechatStub {
  readonly calls: { readonly path: string; readonly query: URLSearchParams; readonly body: string }[] = [];
  private readonly answers = new Map<string, IamResponse[]>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<WechatStub> {
    const server = createServer();
    const stub = new WechatStub(server);
    server.on('request', (request, response) => {
      stub.serve(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.server)}`;
  }

  get endpoints(): { api: string; open: string; mp: string } {
    return { api: this.url, open: this.url, mp: this.url };
  }

  /** Sets the answers of a path, in order; the last one repeats. */
  on(path: string, ...answers: IamResponse[]): this {
    this.answers.set(path, answers);
    return this;
  }

  callsTo(path: string): number {
    return this.calls.filter((call) => call.path === path).length;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://stub');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.calls.push({
        path: url.pathname,
        query: url.searchParams,
        body: Buffer.concat(chunks).toString('utf8'),
      });
      const queue = this.answers.get(url.pathname) ?? [];
      const answer = queue.length > 1 ? queue.shift() : queue[0];
      if (answer === undefined) response.writeHead(404).end();
      else answer(response, request);
    });
  }
}

/** The port a listening server got. */
export function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}

/** Answers as WeChat's sns endpoints do: HTTP 200 and text/plain, whatever the body says. */
export function json(body: unknown): IamResponse {
  return raw(JSON.stringify(body));
}

export function raw(body: string | Buffer, status = 200): IamResponse {
  return (response) => response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
}

/** Closes the connection without an answer. */
export const drop: IamResponse = (response) => {
  response.destroy();
};

/** Says nothing, ever. */
export const hang: IamResponse = () => undefined;

/** One byte now and then, so that no idle timeout ever fires. */
export const drip: IamResponse = (response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => {
    clearInterval(timer);
  });
};

/** Promises more bytes than it sends. */
export const truncate: IamResponse = (response) => {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('{"openid":"o');
  setTimeout(() => response.destroy(), 10);
};
