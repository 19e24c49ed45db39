import { domainMatches, isTrustworthy, parseSetCookie, type Cookie } from './set-cookie.js';

/** From where and how a request is made: decides which SameSite cookies go along. */
export interface RequestContext {
  readonly url: URL;
  readonly crossSite: boolean;
  /** A top-level GET, for which Lax cookies are sent across sites. */
  readonly safeNavigation: boolean;
}

/** The cookies of one person's phone, with a browser's rules. */
export class CookieJar {
  #cookies: Cookie[] = [];

  constructor(private readonly now: () => number) {}

  /** Takes in a response's `Set-Cookie` lines; one that has already expired removes its namesake. */
  store(lines: readonly string[], url: URL): void {
    for (const line of lines) {
      const cookie = parseSetCookie(line, url, this.now());
      if (!cookie) continue;
      this.#cookies = this.#cookies.filter((known) => !isSame(known, cookie));
      if (cookie.expiresAt > this.now()) this.#cookies.push(cookie);
    }
  }

  /** The `Cookie` header for a request; empty when nothing fits. Longer paths come first. */
  header(context: RequestContext): string {
    return this.#for(context)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** All cookies that are still alive. */
  all(): readonly Cookie[] {
    return this.#cookies.filter((cookie) => cookie.expiresAt > this.now());
  }

  clear(): void {
    this.#cookies = [];
  }

  #for({ url, crossSite, safeNavigation }: RequestContext): readonly Cookie[] {
    return this.all()
      .filter(({ hostOnly, domain }) =>
        hostOnly ? domain === url.hostname : domainMatches(url.hostname, domain),
      )
      .filter(({ path }) => pathMatches(url.pathname, path))
      .filter(({ secure }) => !secure || isTrustworthy(url))
      .filter(({ sameSite }) => !crossSite || sameSite === 'none' || (sameSite === 'lax' && safeNavigation))
      .sort((one, other) => other.path.length - one.path.length);
  }
}

function isSame(one: Cookie, other: Cookie): boolean {
  return one.name === other.name && one.domain === other.domain && one.path === other.path;
}

function pathMatches(path: string, cookiePath: string): boolean {
  if (path === cookiePath) return true;
  return path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
}
