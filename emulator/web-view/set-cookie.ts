import { isLoopback } from '../http/host-names.js';

/** A cookie as a browser keeps it. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  /** Only the host that set it gets it back. */
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly sameSite: 'strict' | 'lax' | 'none';
  /** Milliseconds since the epoch; infinite for a cookie of the session. */
  readonly expiresAt: number;
}

/** Reads one `Set-Cookie` line (RFC 6265bis); returns nothing when a browser would refuse it. */
export function parseSetCookie(line: string, url: URL, now: number): Cookie | undefined {
  const [pair = '', ...rest] = line.split(';');
  const separator = pair.indexOf('=');
  if (separator < 0) return undefined;
  const attributes = new Map(rest.map(readAttribute));
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase();
  const cookie: Cookie = {
    name: pair.slice(0, separator).trim(),
    value: pair.slice(separator + 1).trim(),
    domain: domain ?? url.hostname,
    hostOnly: !domain,
    path: pathOf(attributes.get('path'), url),
    secure: attributes.has('secure'),
    httpOnly: attributes.has('httponly'),
    sameSite: sameSiteOf(attributes.get('samesite')),
    expiresAt: expiryOf(attributes, now),
  };
  return isAcceptable(cookie, url) ? cookie : undefined;
}

/** Encrypted, or loopback, which browsers trust as much. */
export function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || isLoopback(url.hostname);
}

/** True when the host is the domain or below it. */
export function domainMatches(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

function readAttribute(part: string): readonly [string, string] {
  const [name = '', ...value] = part.split('=');
  return [name.trim().toLowerCase(), value.join('=').trim()];
}

function isAcceptable(cookie: Cookie, url: URL): boolean {
  const { name, secure, hostOnly, path, domain } = cookie;
  if (name.length + cookie.value.length > 4096) return false;
  if (!domainMatches(url.hostname, domain)) return false;
  if (secure && !isTrustworthy(url)) return false;
  if (/^__secure-/i.test(name) && !secure) return false;
  if (/^__host-/i.test(name) && !(secure && hostOnly && path === '/')) return false;
  return cookie.sameSite !== 'none' || secure;
}

function pathOf(attribute: string | undefined, url: URL): string {
  if (attribute?.startsWith('/')) return attribute;
  const end = url.pathname.lastIndexOf('/');
  return end <= 0 ? '/' : url.pathname.slice(0, end);
}

function sameSiteOf(attribute: string | undefined): Cookie['sameSite'] {
  const value = attribute?.toLowerCase();
  return value === 'strict' || value === 'none' ? value : 'lax';
}

function expiryOf(attributes: ReadonlyMap<string, string>, now: number): number {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return now + Number(maxAge) * 1000;
  const expires = Date.parse(attributes.get('expires') ?? '');
  return Number.isNaN(expires) ? Infinity : expires;
}
