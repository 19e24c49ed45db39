import { errorCatalogue, type IamErrorCode } from '../errors/iam.error.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import type { ResolvedIamClient, ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { IamResponse } from './iam-response.js';
import { escapeHtml, page } from './html.js';
import type { IamRequest } from './iam-request.js';
import type { Language } from './user-agent.js';
import { isLoopback } from '../config/address-guard.js';

const style = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f5f7; color: #1f2329;
  font: 16px/1.6 system-ui, -apple-system, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: 12px; background: #fff; box-shadow: 0 4px 24px rgb(0 0 0 / 8%); }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; }
p { margin: 0 0 1rem; }
a { display: inline-block; padding: .5rem 1.25rem; border-radius: 8px; background: #07804a; color: #fff; text-decoration: none; overflow-wrap: anywhere; }
a:focus-visible { outline: 3px solid #8fd3b0; outline-offset: 2px; }
small { color: #6b7280; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e6e8eb; }
  main { background: #22252b; }
  small { color: #9aa2ad; }
}`;

const texts = {
  zh: {
    heading: '无法登录',
    waiting: '请稍候…',
    checking: '正在再次确认此浏览器的登录。',
    back: '返回 {site} 重新登录',
    reference: '参考编号',
  },
  en: {
    heading: 'Sign-in did not work',
    waiting: 'One moment…',
    checking: 'Looking for the sign-in of this browser once more.',
    back: 'Back to {site} to sign in again',
    reference: 'Reference',
  },
} as const satisfies Record<Language, object>;

/** What an error page shows. */
export interface ErrorPageInput {
  readonly code: IamErrorCode;
  readonly request: IamRequest;
  readonly correlationId: string;
  /** Null on the host's own routes: the page then has no link back and cannot be framed. */
  readonly site: ErrorPageSite | null;
}

/** Where a sign-in begins. */
export interface ErrorPageSite extends Pick<ResolvedIamOptions, 'publicUrl' | 'siteName'> {
  readonly clients: ReadonlyMap<string, Pick<ResolvedIamClient, 'redirectUris'>>;
}

/** The page for a navigation that cannot be redirected: the error's text and a link to where a sign-in begins. */
export function errorPage({ code, request, correlationId, site }: ErrorPageInput): IamResponse {
  const { language } = request;
  const { heading, waiting, checking, reference } = texts[language];
  const again = site === null ? null : secondTry(code, request);
  const title = again === null ? heading : waiting;
  const answer = page({
    status: errorCatalogue[code].status,
    language,
    title,
    style,
    ...(site !== null && { framedBy: clientOrigins(site.clients.values()) }),
    body: `<main>
<h1>${title}</h1>
<p>${again === null ? errorTexts[code][language] : checking}</p>
${site === null ? '' : wayBack(request, site)}<small>${reference} ${code} · ${correlationId}</small>
</main>`,
  });
  return again === null ? answer : { ...answer, headers: { ...answer.headers, Refresh: `1;url=${again}` } };
}

/**
 * Some browsers send no cookies when WeChat's site redirects to us, but do when our own page reloads the address: so it is
 * loaded once more.
 */
function secondTry(code: IamErrorCode, { method, path, query }: IamRequest): string | null {
  const isReturn = method === 'GET' && typeof query['state'] === 'string' && query['again'] === undefined;
  if (code !== 'state_mismatch' || !isReturn) return null;
  const parameters = Object.entries({ ...query, again: '1' }).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  );
  return `${path}?${new URLSearchParams(parameters).toString()}`;
}

function wayBack({ language, query }: IamRequest, site: ErrorPageSite): string {
  const text = texts[language].back.replace('{site}', () => site.siteName);
  return `<p><a href="${escapeHtml(homeOf(site, query['client_id']))}" target="_top">${escapeHtml(text)}</a></p>\n`;
}

/**
 * Where a sign-in can begin again: the site of the named client; else ours, if a client has it; else the first client's. A
 * loopback address is left out, because no browser elsewhere can open it.
 */
export function homeOf({ clients, publicUrl }: ErrorPageSite, clientId: unknown): string {
  const named = typeof clientId === 'string' ? clients.get(clientId) : undefined;
  const origins = clientOrigins(named === undefined ? clients.values() : [named]);
  const [first = publicUrl, ...more] = origins.filter(
    (origin) => !isOnMachine(origin) || isOnMachine(publicUrl),
  );
  return named === undefined && more.includes(publicUrl) ? publicUrl : first;
}

function isOnMachine(origin: string): boolean {
  const { hostname } = new URL(origin);
  return hostname === 'localhost' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}

function clientOrigins(clients: Iterable<{ readonly redirectUris: readonly string[] }>): string[] {
  const uris = [...clients].flatMap(({ redirectUris }) => redirectUris);
  return [...new Set(uris.map((uri) => new URL(uri).origin))];
}
