import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

/** What a client shows with its handshake. */
export interface Shown {
  /** socket.io: `auth.token`. */
  readonly token?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A connected client of a gateway, the same for socket.io and `ws`. */
export interface TestSocket {
  /** Sends a message; resolves with the first message that comes back. */
  ask(event: string, data?: unknown): Promise<{ readonly event: string; readonly data: unknown }>;
  /** Every message so far. */
  readonly received: { readonly event: string; readonly data: unknown }[];
  /** Resolves when the server has closed it: the close code and reason of `ws`. */
  readonly closed: Promise<string>;
  close(): Promise<unknown>;
}

/** How a client is connected to `url`; `path` is that of a gateway of its own. */
export type Connect = (url: string, shown?: Shown, path?: string) => Promise<TestSocket>;

type Message = TestSocket['received'][number];

class Inbox {
  readonly received: Message[] = [];
  private waiting: ((message: Message) => void) | undefined;

  put(message: Message): void {
    this.received.push(message);
    this.waiting?.(message);
  }

  next(send: () => void): Promise<Message> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      send();
    });
  }
}

export const bySocketIo: Connect = async (url, { token, headers = {} } = {}, path = '/socket.io') => {
  const inbox = new Inbox();
  const socket = io(url, {
    path,
    // A server that closes a connection by polling keeps a timer of half a minute.
    transports: ['websocket'],
    auth: token === undefined ? {} : { token },
    extraHeaders: { ...headers },
    forceNew: true,
    reconnection: false,
  });
  socket.onAny((event: string, data: unknown) => inbox.put({ event, data }));
  const closed = new Promise<string>((resolve) => void socket.on('disconnect', resolve));
  await new Promise<void>(
    (resolve, reject) => void socket.on('connect', resolve).on('connect_error', reject),
  );
  return {
    ask: (event, data) => inbox.next(() => socket.emit(event, data)),
    received: inbox.received,
    closed,
    close: () => {
      if (socket.connected) socket.close();
      return closed;
    },
  };
};

export const byWs: Connect = async (url, { headers = {} } = {}, path = '/') => {
  const inbox = new Inbox();
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, { headers: { ...headers } });
  socket.on('message', (text: Buffer) => inbox.put(JSON.parse(text.toString('utf8')) as Message));
  const closed = new Promise<string>((resolve) => {
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString('utf8')}`));
  });
  await new Promise<void>((resolve, reject) => void socket.on('open', resolve).on('error', reject));
  return {
    ask: (event, data) => inbox.next(() => socket.send(JSON.stringify({ event, data }))),
    received: inbox.received,
    closed,
    close: () => {
      socket.close();
      return closed;
    },
  };
};
