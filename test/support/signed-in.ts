import type { Person, WechatEmulator } from '../../emulator/index.js';
import { redirectUri } from './iam-app.js';
import { PcBrowser, userAgents, type Reply } from './pc-browser.js';
import {
  authorizeUrl,
  getWith,
  pkce,
  redeem,
  returnFromPc,
  toTokens,
  type ApprovedOnPc,
  type PcSignIn,
  type Tokens,
} from './sign-in.js';

interface Site {
  readonly url: string;
  readonly wechat: WechatEmulator;
}

/** Somebody after a whole sign-in. */
export interface SignedIn extends Tokens {
  /** The user's id. */
  readonly id: string;
  /** What `/iam/me` says. */
  readonly me: Record<string, unknown>;
}

/** Signs in by QR code on a PC; `changes` are those of the authorization request. */
export async function onPc(
  site: Site,
  person: Person,
  changes: Readonly<Record<string, string>> = {},
): Promise<SignedIn> {
  return whoIs(site, await redeem(site.url, await returnFromPc(site, person, changes)));
}

/** Signs in inside WeChat. */
export async function inWechat(
  site: Site,
  person: Person,
  changes: Readonly<Record<string, string>> = {},
): Promise<SignedIn> {
  return whoIs(site, await redeem(site.url, await returnInWechat(site, person, changes)));
}

/** A sign-in inside WeChat up to the return to the client, in the form that `redeem` takes. */
export async function returnInWechat(
  { url }: Site,
  person: Person,
  changes: Readonly<Record<string, string>> = {},
): Promise<PcSignIn> {
  const { verifier, challenge } = pkce();
  let page = await person.openInWechat(authorizeUrl(url, challenge, changes));
  if (!page.url.startsWith(redirectUri(url))) page = await person.confirm();
  const returned: Reply = {
    status: page.status,
    headers: new Headers(),
    location: new URL(page.url),
    text: page.body,
    json: () => ({}),
  };
  return { browser: new PcBrowser(), returned, verifier };
}

/** A sign-in inside WeChat that waits to call back; the phone's own web view has another jar, so its visit changes nothing. */
export async function approveInWechat({ url }: Site, person: Person): Promise<ApprovedOnPc> {
  const browser = new PcBrowser(userAgents.wechat);
  const { verifier, challenge } = pkce();
  const start = await browser.visit(authorizeUrl(url, challenge));
  if (start.location === null) throw new Error(`authorize answered ${start.status}: ${start.text}`);
  let page = await person.openInWechat(start.location.href);
  if (!page.url.startsWith(url)) page = await person.confirm();
  return { browser, callback: new URL(page.url), verifier };
}

/** `POST /iam/token` with a refresh token, as client `web` unless `changes` say otherwise. */
export function refresh(
  url: string,
  refreshToken: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const form = { grant_type: 'refresh_token', client_id: 'web', refresh_token: refreshToken, ...changes };
  return new PcBrowser().visit(`${url}/iam/token`, { form, headers: { accept: 'application/json' } });
}

/** `POST /iam/revoke`. */
export function revoke(
  url: string,
  token: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return new PcBrowser().visit(`${url}/iam/revoke`, { form: { client_id: 'web', token, ...changes } });
}

async function whoIs(site: Site, reply: Reply): Promise<SignedIn> {
  const tokens = toTokens(reply);
  const me = (await getWith(`${site.url}/iam/me`, tokens.accessToken)).json();
  return { ...tokens, id: String(me['id']), me };
}
