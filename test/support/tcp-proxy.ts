import { connect, createServer, type Server, type Socket } from 'node:net';

/** Messages of PostgreSQL's wire protocol. */
const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1');
const goesDown = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P01', M: 'the server goes down' });

function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(fields).map(([type, value]) => `${type}${value}\0`);
  const body = Buffer.from(`${text.join('')}\0`, 'latin1');
  const head = Buffer.from('E\0\0\0\0', 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A wire between the application and PostgreSQL that a test can cut. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;
  private fatal: string | undefined;
  private isSilent = false;
  private endsNext = false;
  private slow: string | undefined;
  private readonly held: (() => void)[] = [];

  private constructor(private readonly target: URL) {}

  /** Listens on a free port of 127.0.0.1 and forwards to the host that a database URL names. */
  static async start(databaseUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(databaseUrl));
    await proxy.restore();
    return proxy;
  }

  /** The database's URL, by way of the proxy. */
  get url(): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Cuts every connection; new ones are refused until `restore`. */
  async cut(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    this.cutConnections();
    await new Promise<void>((resolve) => {
      if (server === undefined) resolve();
      else server.close(() => resolve());
    });
  }

  /** Accepts connections again, on the same port. */
  async restore(): Promise<void> {
    this.isSilent = false;
    if (this.server !== undefined) return;
    const server = createServer((client) => this.forward(client));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.port = address.port;
  }

  /** Swallows everything, also of new connections, as a broken network does, until `restore`. */
  silence(): void {
    this.isSilent = true;
  }

  /** The next statement with this text reaches PostgreSQL, but its answer never comes back: the connection is cut instead. */
  loseAnswerTo(text: string): void {
    this.fatal = text;
  }

  /** The answer to the next statement with this text stays here until `release`. */
  holdAnswerTo(text: string): void {
    this.slow = text;
  }

  /** Whether PostgreSQL has given an answer that is held. */
  get isHolding(): boolean {
    return this.held.length > 0;
  }

  release(): void {
    for (const send of this.held.splice(0)) send();
  }

  /** The packet with which PostgreSQL opens the next connection also ends it: the server goes down just then. */
  endNextConnection(): void {
    this.endsNext = true;
  }

  private forward(client: Socket): void {
    const upstream = connect(Number(this.target.port), this.target.hostname);
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    let isMute = false;
    let isSlow = false;
    client.on('data', (bytes) => {
      if (this.isSilent) return;
      if (this.fatal !== undefined && bytes.includes(this.fatal)) {
        this.fatal = undefined;
        isMute = true;
      }
      if (this.slow !== undefined && bytes.includes(this.slow)) {
        this.slow = undefined;
        isSlow = true;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (isMute) client.destroy();
      else if (isSlow)
        this.held.push(() => {
          isSlow = false;
          client.write(bytes);
        });
      else if (this.endsNext && bytes.subarray(-readyForQuery.length).equals(readyForQuery)) {
        this.endsNext = false;
        client.end(Buffer.concat([bytes, goesDown]));
      } else if (!this.isSilent) client.write(bytes);
    });
  }

  private cutConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
