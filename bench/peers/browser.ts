import { type Agent, request } from 'undici';
import { browserHeaders } from '../sign-in/redirect-client.js';

/** A request of a page, with what it needs beside cookies. */
export interface PageRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What a page's script or the browser sees of a response. */
export interface PageResponse {
  readonly status: number;
  /** Null without a redirect. */
  readonly location: URL | null;
  readonly text: string;
}

/** A browser's tab on one host, with its cookies. */
export class Browser {
  private readonly cookies = new Map<string, string>();

  constructor(
    private readonly hostUrl: string,
    private readonly publicUrl: string,
    private readonly agent: Agent,
  ) {}

  /** All cookies as a request's header. */
  get cookie(): string {
    return Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Takes over the cookies of another tab. */
  copyCookies(other: Browser): void {
    for (const [name, value] of other.cookies) this.cookies.set(name, value);
  }

  async visit(path: string, { method = 'GET', headers = {}, body }: PageRequest = {}): Promise<PageResponse> {
    const response = await request(this.hostUrl + path, {
      method,
      dispatcher: this.agent,
      headers: { ...browserHeaders, host: new URL(this.publicUrl).host, cookie: this.cookie, ...headers },
      body: body ?? null,
    });
    const text = await response.body.text();
    for (const line of [response.headers['set-cookie'] ?? []].flat()) this.keep(line);
    const { location } = response.headers;
    const target = typeof location === 'string' ? new URL(location, this.publicUrl) : null;
    return { status: response.statusCode, location: target, text };
  }

  private keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (name === undefined || value === undefined) return;
    if (/;\s*max-age=0\b/i.test(line) || value === '') this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
