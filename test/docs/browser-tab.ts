import type { PcBrowser } from '../support/pc-browser.js';

/** What an example of the README finds in a browser: where it is, where it goes, what this tab and the browser remember. */
export class BrowserTab {
  /** The address that the page was left for. */
  wentTo = '';
  private readonly memory = new Map<string, string>();
  private readonly fetch = globalThis.fetch;
  private search = '';

  constructor(private readonly origin: string) {}

  /** Shows a page with this query. */
  show(search = ''): void {
    this.search = search;
    const location = {
      origin: this.origin,
      pathname: '/signed-in',
      search,
      assign: (url: string) => (this.wentTo = url),
    };
    const history = {
      replaceState: (_state: unknown, _title: string, url: string) =>
        this.show(new URL(url, this.origin).search),
    };
    const sessionStorage = {
      getItem: (key: string) => this.memory.get(key) ?? null,
      setItem: (key: string, value: string) => this.memory.set(key, value),
      removeItem: (key: string) => this.memory.delete(key),
    };
    Object.assign(globalThis, { location, history, sessionStorage });
  }

  /** What a reload of the page, or a way back to it, would still find: the query of its address, and what it put aside. */
  left(key: string): { readonly search: string; readonly kept: string | null } {
    return { search: this.search, kept: this.memory.get(key) ?? null };
  }

  /** From now on the page's requests carry the cookies of this browser. */
  openIn({ jar }: PcBrowser): void {
    globalThis.fetch = async (input, init = {}) => {
      const headers = new Headers(init.headers);
      if (typeof input === 'string' && !headers.has('cookie'))
        headers.set('cookie', await jar.getCookieString(input));
      return this.fetch(input, { ...init, headers });
    };
  }

  close(): void {
    globalThis.fetch = this.fetch;
    for (const name of ['location', 'history', 'sessionStorage']) Reflect.deleteProperty(globalThis, name);
  }
}

/** Loads an example as a page would, as a module of its own. */
export async function loadModule(code: string): Promise<Readonly<Record<string, unknown>>> {
  const module: unknown = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  if (typeof module !== 'object' || module === null) throw new TypeError('not a module');
  return { ...module };
}
