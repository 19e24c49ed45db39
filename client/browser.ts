import { checkedBody, IamClientError, type Json } from './error.js';
import { isTokens, type SessionPort, type Tokens, type TokenStore } from './token-session.js';

/** Longer than a server that answers at all; a request without end would keep other tabs waiting for the lock. */
const PATIENCE_MS = 30_000;

/** The endpoints under `/iam`, for one client. */
export class Server {
  constructor(
    /** Without a slash at its end. */
    readonly url: string,
    private readonly clientId: string,
    private readonly credentials: RequestCredentials,
  ) {}

  /** @throws IamClientError */
  post(path: string, fields: Readonly<Record<string, string>>): Promise<Json> {
    const body = new URLSearchParams({ client_id: this.clientId, ...fields });
    return this.ask(path, { method: 'POST', body });
  }

  /** @throws IamClientError */
  async ask(path: string, init: RequestInit = {}): Promise<Json> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
    const { credentials } = this;
    try {
      const response = await fetch(`${this.url}/${path}`, {
        ...init,
        credentials,
        signal: controller.signal,
      });
      const text = await response.text();
      return checkedBody(response.status, text === '' ? null : parse(text));
    } catch (error) {
      throw error instanceof IamClientError ? error : new IamClientError('network_error');
    } finally {
      clearTimeout(timer);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Tokens in a `Storage`, or in memory without one. */
class BrowserStore implements TokenStore {
  private kept: Tokens | null = null;

  constructor(
    private readonly key: string,
    private readonly storage: Storage | null,
  ) {}

  read(): Tokens | null {
    if (this.storage === null) return this.kept;
    const stored = parse(this.storage.getItem(this.key) ?? 'null');
    return isTokens(stored) ? stored : null;
  }

  write(tokens: Tokens | null): void {
    this.kept = tokens;
    if (tokens === null) this.storage?.removeItem(this.key);
    else this.storage?.setItem(this.key, JSON.stringify(tokens));
  }
}

/** Browsers that keep nothing for a page throw as soon as it asks. */
function findLocalStorage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** What a client of a browser differs by. */
export interface BrowserPortOptions {
  readonly hasCookies: boolean;
  readonly clientId: string;
  readonly storage: Storage | null;
}

/** The tabs of one browser: what they keep, and what they tell one another. */
export class BrowserPort implements SessionPort {
  readonly hasCookies: boolean;
  readonly store: TokenStore;
  readonly listeners = new Set<(isSignedIn: boolean) => void>();
  private readonly name: string;
  private readonly channel: BroadcastChannel | null;
  private readonly isShared: boolean;

  constructor(
    private readonly server: Server,
    { hasCookies, clientId, storage }: BrowserPortOptions,
  ) {
    // All cookie clients of a server share the session of the browser.
    this.name = `iam ${server.url} ${hasCookies ? '' : clientId}`;
    this.hasCookies = hasCookies;
    const local = findLocalStorage();
    // Of cookies nothing is kept but when they end: it tells a tab that another one has refreshed them.
    this.store = new BrowserStore(this.name, hasCookies ? local : storage);
    this.isShared = hasCookies || (storage !== null && storage === local);
    this.channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(this.name);
    this.channel?.addEventListener('message', ({ data }) => this.told(data === true));
  }

  post(path: 'token' | 'revoke', fields: Readonly<Record<string, string>>): Promise<Json> {
    return this.server.post(path, fields);
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    // Browsers lock for pages of https and localhost alone.
    return 'locks' in navigator ? await navigator.locks.request(this.name, work) : await work();
  }

  changed(isSignedIn: boolean): void {
    this.channel?.postMessage(isSignedIn);
    this.tell(isSignedIn);
  }

  close(): void {
    this.channel?.close();
    this.listeners.clear();
  }

  private told(isSignedIn: boolean): void {
    if (this.isShared) this.tell(isSignedIn);
    else if (!isSignedIn) this.endOwn();
  }

  /** A tab with a session of its own ends that too: its person has signed out of this browser. */
  private endOwn(): void {
    const own = this.store.read();
    if (own === null) return;
    this.store.write(null);
    if (own.refresh !== undefined) void this.post('revoke', { token: own.refresh }).catch(() => undefined);
    this.tell(false);
  }

  private tell(isSignedIn: boolean): void {
    for (const listener of this.listeners) listener(isSignedIn);
  }
}
