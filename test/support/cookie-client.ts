import type { Person, WechatEmulator } from '../../emulator/index.js';
import { PcBrowser, type Reply, type Visit } from './pc-browser.js';
import { authorizeUrl, callbackAfterScan, pkce } from './sign-in.js';

interface Site {
  /** Where it listens. */
  readonly url: string;
  readonly wechat: WechatEmulator;
}

/** How a test's front-end differs: it is the client `shop` on the site's own origin. */
interface FrontEnd {
  readonly clientId?: string;
  readonly visit?: Visit;
}

const redirectUri = 'https://shop.example/signed-in';

/** A client that keeps its tokens in cookies. */
export const cookieClient = (id = 'shop', origins: readonly string[] = []) =>
  ({ id, redirectUris: [redirectUri], tokens: 'cookie', origins }) as const;

/** The form that redeems the code of a sign-in. */
export async function codeForm(
  { url, wechat }: Site,
  person: Person,
  clientId = 'shop',
  returnTo = redirectUri,
): Promise<Record<string, string>> {
  const asking = new PcBrowser();
  const { verifier, challenge } = pkce();
  const start = await asking.visit(
    authorizeUrl(url, challenge, { client_id: clientId, redirect_uri: returnTo }),
  );
  if (start.location === null) throw new Error(`authorize answered ${start.status}: ${start.text}`);
  const { pathname, search } = new URL(await callbackAfterScan(wechat, start.location, person));
  const { location } = await asking.visit(`${url}${pathname}${search}`);
  return {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: location?.searchParams.get('code') ?? '',
    redirect_uri: returnTo,
    code_verifier: verifier,
  };
}

/** A whole sign-in up to the answer of `/token`; the cookies are in the browser then. */
export async function signInWithCookies(
  site: Site,
  person: Person,
  browser: PcBrowser,
  { clientId = 'shop', visit = { from: site.url } }: FrontEnd = {},
): Promise<Reply> {
  return browser.visit(`${site.url}/iam/token`, { form: await codeForm(site, person, clientId), ...visit });
}

/** `POST /iam/token` for the refresh token in the browser's cookie. */
export function refreshByCookie(
  url: string,
  browser: PcBrowser,
  { clientId = 'shop', visit = { from: url } }: FrontEnd = {},
): Promise<Reply> {
  const form = { grant_type: 'refresh_token', client_id: clientId };
  return browser.visit(`${url}/iam/token`, { form, ...visit });
}

/** `POST /iam/revoke` for the session in the browser's cookies. */
export function signOut(
  url: string,
  browser: PcBrowser,
  { clientId = 'shop', visit = { from: url } }: FrontEnd = {},
): Promise<Reply> {
  return browser.visit(`${url}/iam/revoke`, { form: { client_id: clientId }, ...visit });
}

/** A `Set-Cookie` header, taken apart. */
export interface SetCookie {
  readonly name: string;
  readonly value: string;
  readonly attributes: readonly string[];
  readonly bytes: number;
}

/** The cookies that an answer sets. */
export const cookiesOf = ({ headers }: Reply): SetCookie[] =>
  headers.getSetCookie().map((header) => {
    const [pair = '', ...attributes] = header.split('; ');
    const [name = '', value = ''] = pair.split('=');
    return { name, value, attributes: attributes.sort(), bytes: Buffer.byteLength(header) };
  });
