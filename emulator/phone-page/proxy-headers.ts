import type { IncomingHttpHeaders } from 'node:http';
import type { OriginMapping } from './origin-mapping.js';

/** Headers that concern this one connection, or that the web view writes itself. */
const notForwarded = new Set([
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'cookie',
  'user-agent',
  'accept-encoding',
  'if-none-match',
  'if-modified-since',
  'sec-fetch-site',
  'sec-fetch-dest',
]);

const notReturned = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'content-encoding',
  'set-cookie',
  'strict-transport-security',
  'alt-svc',
  'x-frame-options',
  'location',
]);

/** The browser's headers as the real site should see them: its own addresses, no hint of a desktop browser. */
export function requestHeaders(headers: IncomingHttpHeaders, mapping: OriginMapping): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !notForwarded.has(name) && !name.startsWith('sec-ch-'),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, mapping.textToServer(String(value))]));
}

/** The site's headers as the browser should see them: without what would keep it out of the phone's frame. */
export function responseHeaders(
  headers: Readonly<Record<string, string>>,
  mapping: OriginMapping,
): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !notReturned.has(name));
  return Object.fromEntries(
    kept.map(([name, value]) => [
      name,
      mapping.textToBrowser(name === 'content-security-policy' ? withoutFraming(value) : value),
    ]),
  );
}

function withoutFraming(policy: string): string {
  const directives = policy.split(';').map((directive) => directive.trim());
  return directives
    .filter((directive) => !/^(?:frame-ancestors|upgrade-insecure-requests)/i.test(directive))
    .join('; ');
}
