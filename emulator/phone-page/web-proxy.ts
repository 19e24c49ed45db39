import type { IncomingMessage } from 'node:http';
import { text } from '../http/answers.js';
import { header, type Answer, type Incoming } from '../http/exchange.js';
import type { Platform } from '../platform.js';
import type { Population } from '../population.js';
import { headOf, open } from '../web-view/http-fetch.js';
import { OriginMapping } from './origin-mapping.js';
import { requestHeaders, responseHeaders } from './proxy-headers.js';
import type { WebOrigin, WebOrigins } from './web-origins.js';
import type { WebVisits } from './web-visit.js';

/** What the web view on the phone page works with. */
export interface WebProxyParts {
  readonly platform: Platform;
  readonly population: Population;
  readonly origins: WebOrigins;
  readonly visits: WebVisits;
}

const readable =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|xhtml\+xml|xml|manifest\+json|problem\+json))/i;

/** Fetches what the browser asks of a `web-….phone.localhost` name as the person's WeChat would fetch it from the real site. */
export async function webProxy(parts: WebProxyParts, incoming: Incoming): Promise<Answer> {
  const host = header(incoming, 'host');
  const web = parts.origins.find(host);
  const person = web && parts.population.find(web.person);
  if (!web || !person) return text('Open this page from /phone again.', undefined, 404);
  const mapping = new OriginMapping(parts.origins, web.person, /:\d+$/.exec(host)?.[0] ?? '');
  const url = new URL(
    mapping.textToServer(incoming.path + (incoming.rawQuery && `?${incoming.rawQuery}`)),
    web.origin,
  );
  try {
    const response = await fetchAs(parts, { web, url, mapping }, incoming);
    person.phone.webView.cookies.store(headOf(response).setCookies, url);
    return await toAnswer(parts, { web, url, mapping }, response, isNavigation(incoming));
  } catch (error) {
    return text(
      `无法打开网页 · Cannot open ${url.href}: ${error instanceof Error ? error.message : ''}`,
      undefined,
      502,
    );
  }
}

interface Target {
  readonly web: WebOrigin;
  readonly url: URL;
  readonly mapping: OriginMapping;
}

async function fetchAs(
  { platform, population, visits }: WebProxyParts,
  { web, url, mapping }: Target,
  incoming: Incoming,
): Promise<IncomingMessage> {
  const { method, body, headers, signal } = incoming;
  const forwarded = requestHeaders(headers, mapping);
  const navigates = isNavigation(incoming);
  const initiator = initiatorOf(forwarded);
  const own = population
    .find(web.person)
    ?.phone.webView.ownHeaders(
      { url, initiator, safeNavigation: navigates && (method === 'GET' || method === 'HEAD') },
      visits.of(web.person)?.options ?? {},
    );
  const sent = { ...forwarded, ...(navigates ? { 'sec-fetch-dest': 'document' } : {}), ...own };
  return open(platform.addressOf(url), {
    method,
    headers: sent,
    body: body.length > 0 ? mapBody(body, forwarded, mapping) : undefined,
    signal,
  });
}

async function toAnswer(
  { platform, visits }: WebProxyParts,
  { web, url, mapping }: Target,
  response: IncomingMessage,
  navigates: boolean,
): Promise<Answer> {
  const { status, headers } = headOf(response);
  const returned = responseHeaders(headers, mapping);
  const { location, 'content-type': type = '' } = headers;
  if (location !== undefined) returned['location'] = mapping.toBrowser(new URL(location, url));
  if (!readable.test(type)) return { status, headers: returned, body: response };
  const source = await readText(response);
  if (navigates && type.includes('html')) visits.arrive(web.person, url.href, titleOf(source));
  const origins = [...platform.origins, ...linkedOrigins(source, type)];
  const body = /html/i.test(type)
    ? mapping.htmlToBrowser(source, origins)
    : mapping.textToBrowser(source, origins);
  return { status, headers: returned, body };
}

function isNavigation({ headers }: Incoming): boolean {
  return headers['sec-fetch-mode'] === 'navigate';
}

/** The page that asked, by what the browser says of it. */
function initiatorOf({ origin, referer }: Record<string, string>): URL | undefined {
  const page = [origin, referer].find((value) => value !== undefined && URL.canParse(value));
  return page === undefined ? undefined : new URL(page);
}

function mapBody(body: Buffer, headers: Record<string, string>, mapping: OriginMapping): Buffer {
  const isText = /json|urlencoded|text/i.test(headers['content-type'] ?? '');
  return isText ? Buffer.from(mapping.textToServer(body.toString('utf8'))) : body;
}

/** Sites that a page links to or sends forms to: their addresses must stay in the web view too. */
function linkedOrigins(source: string, type: string): readonly string[] {
  if (!/html/i.test(type)) return [];
  const links = Array.from(
    source.matchAll(/\s(?:href|action|formaction)\s*=\s*["']?(https?:\/\/[^"'\s>]+)/gi),
  );
  return links.flatMap(([, link = '']) => (URL.canParse(link) ? [new URL(link).origin] : []));
}

function titleOf(source: string): string {
  return /<title[^>]*>([^<]*)<\/title>/i.exec(source)?.[1]?.trim() ?? '';
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
