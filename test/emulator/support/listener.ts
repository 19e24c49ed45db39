import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';

/** A request that reached the app under the emulator's people's thumbs. */
export interface Heard {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Responder = (response: ServerResponse, heard: Heard) => void;

/** A small app for people and pushes to reach: records what it hears and answers what the test says. */
export class Listener {
  readonly heard: Heard[] = [];
  respond: Responder = (response) => response.end('success');
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  static async start(): Promise<Listener> {
    const listener = new Listener();
    await new Promise<void>((resolve) => listener.#server.listen(0, '127.0.0.1', resolve));
    return listener;
  }

  get origin(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  }

  get last(): Heard | undefined {
    return this.heard.at(-1);
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array));
    const { method = '', headers } = request;
    const url = new URL(request.url ?? '/', this.origin);
    const heard = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
    this.heard.push(heard);
    this.respond(response, heard);
  }
}
