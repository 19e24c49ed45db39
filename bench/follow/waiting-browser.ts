import { connect, type Socket } from 'node:net';

/** A browser's stream of server-sent events, as lean as ten thousand of them in one process have to be. */
export class WaitingBrowser {
  private readonly arrivals = new Map<string, number>();
  private readonly hoping = new Map<string, (at: number) => void>();
  private tail = '';

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.read(bytes.toString('latin1')));
    socket.on('error', () => undefined);
  }

  /** Resolves when the server has begun to answer. */
  static open(url: string, path: string): Promise<WaitingBrowser> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (bytes: Buffer) => {
        const [statusLine = ''] = bytes.toString('latin1').split('\r\n');
        if (!statusLine.startsWith('HTTP/1.1 200')) reject(new Error(`${path} answered ${statusLine}`));
        const browser = new WaitingBrowser(socket);
        browser.read(bytes.toString('latin1'));
        resolve(browser);
      });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`);
    });
  }

  /** When the event arrived or will arrive, on the clock of `performance.now()`. */
  arrivalOf(event: string): Promise<number> {
    const arrived = this.arrivals.get(event);
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.hoping.set(event, resolve));
  }

  close(): void {
    this.socket.destroy();
  }

  /** An event's name may be cut in two. */
  private read(text: string): void {
    const now = performance.now();
    const seen = this.tail + text;
    for (const [, event = ''] of seen.matchAll(/event: (\w+)\n/g)) {
      if (!this.arrivals.has(event)) this.arrivals.set(event, now);
      this.hoping.get(event)?.(now);
      this.hoping.delete(event);
    }
    this.tail = seen.slice(seen.lastIndexOf('\n') + 1);
  }
}
