import { randomUUID } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import type { Person } from '../../emulator/index.js';
import { SigningKeys } from '../../src/sessions/signing-keys.service.js';
import { AdminClient } from './admin.js';
import { redirectUri, type World } from './iam-app.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import { authorizeUrl, callbackAfterScan, pkce, redeem, type PcSignIn } from './sign-in.js';

type Members = Readonly<Record<string, unknown>>;
type Changes = Readonly<Record<string, string | undefined>>;

/** Registers an application with `sso` and gives its id. */
export async function registerSso(
  world: Pick<World, 'url'>,
  members: Members = {},
  admin = new AdminClient(world.url),
): Promise<string> {
  const id = `sso-${randomUUID()}`;
  const body = { id, redirect_uris: [redirectUri(world.url)], sso: true, ...members };
  const reply = await admin.post('clients', body);
  if (reply.status !== 201) throw new Error(reply.text);
  return id;
}

/** What a browser got of `/authorize`, with the verifier for a code in it. */
export interface Start extends PcSignIn {
  readonly code: string | null;
  readonly error: string | null;
  /** WeChat was not asked: the browser is on its way back to the client. */
  readonly isBack: boolean;
}

/** Visits `/authorize` of an application. */
export async function start(
  { url }: Pick<World, 'url'>,
  browser: PcBrowser,
  client_id: string,
  changes: Changes = {},
): Promise<Start> {
  const { verifier, challenge } = pkce();
  const returned = await browser.visit(authorizeUrl(url, challenge, { client_id, ...changes }));
  const back = returned.location?.searchParams;
  const [code, error] = [back?.get('code') ?? null, back?.get('error') ?? null];
  return { browser, returned, verifier, code, error, isBack: code !== null || error !== null };
}

/** A sign-in with WeChat in this browser, up to the return to the application. */
export async function signIn(
  world: World,
  browser: PcBrowser,
  person: Person,
  client_id: string,
  changes: Changes = {},
): Promise<PcSignIn> {
  const { returned: page, verifier } = await start(world, browser, client_id, changes);
  if (page.location === null) throw new Error(`authorize answered ${page.status}: ${page.text}`);
  const callback = await callbackAfterScan(world.wechat, page.location, person);
  return { browser, returned: await browser.visit(callback), verifier };
}

/** The token response for a sign-in at an application. */
export const tokensOf = (
  world: Pick<World, 'url'>,
  signedIn: PcSignIn,
  client_id: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Reply> => redeem(world.url, signedIn, { client_id, ...changes });

/**
 * An administrator ends what a person has at an application in a browser, of which its server is to be told again; nobody listens
 * there. The responses.
 */
export async function tellOfSignOut(world: World, person: Person, admin: AdminClient): Promise<Reply[]> {
  const members = { backchannel_logout_uri: 'http://localhost:9/nobody-listens' };
  const id = await registerSso(world, members, admin);
  const tokens = await tokensOf(world, await signIn(world, new PcBrowser(), person, id), id);
  const ended = await admin.delete(
    `users/${String(decodeJwt(String(tokens.json()['access_token'])).sub)}/sessions`,
  );
  const [waiting] = (await admin.get(`backchannel_logouts?client=${id}`)).items();
  return [ended, await admin.post(`backchannel_logouts/${String(waiting?.['id'])}/retry`)];
}

/** A refresh by the token of a token response. */
export const refreshOf = ({ url }: Pick<World, 'url'>, tokens: Reply, client_id: string): Promise<Reply> =>
  new PcBrowser().visit(`${url}/iam/token`, {
    form: { grant_type: 'refresh_token', client_id, refresh_token: String(tokens.json()['refresh_token']) },
    headers: { accept: 'application/json' },
  });

/** An ID token of ours that has expired, with a signature that verifies. */
export async function oldIdToken(world: World, claims: Readonly<Record<string, string>>): Promise<string> {
  const { kid, privateKey } = await world.app.get(SigningKeys).current();
  return new SignJWT({ iss: world.url, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
    .setIssuedAt(0)
    .setExpirationTime(3600)
    .sign(privateKey);
}
