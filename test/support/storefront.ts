import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request, type Server, type ServerResponse, createServer } from 'node:http';
import { extname, join } from 'node:path';
import { endWithTests } from './end-with-tests.js';

/** What is served at a path: a page or script as text, or a file of the example's front-end. */
export type Pages = Readonly<Record<string, string>>;

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

const root = join(import.meta.dirname, '../..');

/** The files that the example serves, by their paths. */
export const exampleFile = (path: string): Promise<string> =>
  readFile(join(root, path.startsWith('/client/') ? 'dist' : 'example/public', path), 'utf8');

/**
 * A shop as it stands on the web: its own pages, and in front of the replicas of its server, which get the requests under
 * `/iam` in turn.
 */
export class Storefront {
  /** Who answers under `/iam`. */
  replicas: readonly string[] = [];
  pages: Pages = {};
  private turn = 0;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async open(): Promise<Storefront> {
    const server = createServer((asked, answer) => void front.answer(asked, answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the storefront has no port');
    const front = new Storefront(server, `http://localhost:${address.port}`);
    endWithTests(() => front.close());
    return front;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { pathname } = new URL(asked.url ?? '/', this.url);
    if (pathname.startsWith('/iam/')) {
      this.forward(asked, answer);
      return;
    }
    const text = this.pages[pathname] ?? (await exampleFile(pathname).catch(() => null));
    const type = types[extname(pathname)] ?? 'text/html';
    answer.writeHead(text === null ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` }).end(text);
  }

  private forward(asked: IncomingMessage, answer: ServerResponse): void {
    const replica = new URL(asked.url ?? '/', this.replicas[this.turn++ % this.replicas.length]);
    const { method, headers } = asked;
    const forwarded = request(replica, { method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.rawHeaders);
      got.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
    answer.on('close', () => forwarded.destroy());
    asked.pipe(forwarded);
  }
}
