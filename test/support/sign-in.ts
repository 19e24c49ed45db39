import type { DataSource } from 'typeorm';
import { createHash, randomBytes } from 'node:crypto';
import type { Person, WechatEmulator } from '../../emulator/index.js';
import { redirectUri } from './iam-app.js';
import { PcBrowser, type Reply } from './pc-browser.js';

/** A PKCE pair, computed here and not by the code under test (RFC 7636 §4.2). */
export function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The URL that starts a sign-in; `changes` with an undefined value leave a parameter out. */
export function authorizeUrl(
  base: string,
  challenge: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: 'web',
    redirect_uri: redirectUri(base),
    state: 'client-state',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    provider: 'wechat',
    ...changes,
  };
  const url = new URL(`${base}/iam/authorize`);
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

/** Where WeChat sends the browser after a person scanned and confirmed: `/iam/callback/…?code&state`. */
export async function callbackAfterScan(
  wechat: WechatEmulator,
  qrPageUrl: string | URL,
  person: Person,
): Promise<string> {
  const screen = await wechat.showQrCode(String(qrPageUrl));
  await person.scan(screen.content);
  await person.confirm();
  const { redirectTo } = await screen.finish();
  if (redirectTo === undefined) throw new Error('the QR page did not leave');
  return redirectTo;
}

/** A PC sign-in that WeChat has approved: the callback waits to be visited. */
export interface ApprovedOnPc {
  readonly browser: PcBrowser;
  readonly callback: URL;
  readonly verifier: string;
}

/** What a whole sign-in on a PC left behind. */
export interface PcSignIn {
  readonly browser: PcBrowser;
  readonly returned: Reply;
  readonly verifier: string;
}

/** A PC sign-in up to WeChat's callback, by QR code and phone. */
export async function approveOnPc(
  { url, wechat }: { url: string; wechat: WechatEmulator },
  person: Person,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<ApprovedOnPc> {
  const browser = new PcBrowser();
  const { verifier, challenge } = pkce();
  const start = await browser.visit(authorizeUrl(url, challenge, changes));
  if (start.location === null) throw new Error(`authorize answered ${start.status}: ${start.text}`);
  const callback = new URL(await callbackAfterScan(wechat, start.location, person));
  return { browser, callback, verifier };
}

/** A PC sign-in up to the return to the client. */
export async function returnFromPc(
  world: { url: string; wechat: WechatEmulator },
  person: Person,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<PcSignIn> {
  const { browser, callback, verifier } = await approveOnPc(world, person, changes);
  return { browser, returned: await browser.visit(callback), verifier };
}

/** The token request for a returned code. */
export function redeem(
  url: string,
  { browser, returned, verifier }: PcSignIn,
  changes: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const code = returned.location?.searchParams.get('code') ?? '';
  const form = {
    grant_type: 'authorization_code',
    client_id: 'web',
    code,
    redirect_uri: redirectUri(url),
    code_verifier: verifier,
    ...changes,
  };
  return browser.visit(`${url}/iam/token`, { form, headers: { accept: 'application/json' } });
}

/** Tokens of a completed sign-in. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A whole sign-in on a PC. */
export async function signInOnPc(
  world: { url: string; wechat: WechatEmulator },
  person: Person,
): Promise<Tokens> {
  const reply = await redeem(world.url, await returnFromPc(world, person));
  return toTokens(reply);
}

/** Reads a token answer. */
export function toTokens(reply: Reply): Tokens {
  const { access_token: accessToken, refresh_token: refreshToken } = reply.json();
  if (typeof accessToken !== 'string' || typeof refreshToken !== 'string')
    throw new Error(`no tokens: ${reply.text}`);
  return { accessToken, refreshToken };
}

/** `GET` with a bearer token. */
export function getWith(url: string, accessToken: string): Promise<Reply> {
  return new PcBrowser().visit(url, {
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
  });
}

/** A sign-in inside WeChat up to the return to the client; consent is given when asked for. */
export async function returnInsideWechat(
  base: string,
  person: Person,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<{ location: URL; verifier: string }> {
  const { verifier, challenge } = pkce();
  let page = await person.openInWechat(authorizeUrl(base, challenge, changes));
  if (!page.url.startsWith(redirectUri(base))) page = await person.confirm();
  return { location: new URL(page.url), verifier };
}

/** Makes the sessions that have begun so far older than the ten seconds in which their code is answered again. */
export async function outlastGrace({ dataSource }: { readonly dataSource: DataSource }): Promise<void> {
  await dataSource.query(`UPDATE iam.sessions SET created_at = created_at - interval '10.001 seconds'`);
}
