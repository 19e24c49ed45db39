import { PcBrowser, type Reply } from './pc-browser.js';
import { authorizeUrl, pkce, redeem } from './sign-in.js';

/** The module's own sign-in page, opened in a browser of its own. */
export interface FollowPage {
  readonly base: string;
  readonly browser: PcBrowser;
  readonly reply: Reply;
  readonly verifier: string;
  /** The attempt, as the page hands it to its script. */
  readonly state: string;
}

/** Opens `GET /iam/authorize?method=follow`. */
export async function openFollowPage(
  base: string,
  changes: Readonly<Record<string, string | undefined>> = {},
  browser = new PcBrowser(),
): Promise<FollowPage> {
  const { verifier, challenge } = pkce();
  const reply = await browser.visit(authorizeUrl(base, challenge, { method: 'follow', ...changes }));
  const state = /data-attempt="([^"]+)"/.exec(reply.text)?.[1] ?? '';
  return { base, browser, reply, verifier, state };
}

const json = { accept: 'application/json' };

/** What the page's script does first: it asks for a QR code. */
export function startOnPage({ base, browser, state }: FollowPage): Promise<Reply> {
  return browser.visit(`${base}/iam/follow`, { body: { state }, headers: json });
}

/** What the page's script asks while it waits. */
export function finishOnPage({ base, browser, state }: FollowPage, deviceCode: string): Promise<Reply> {
  return browser.visit(`${base}/iam/follow/finish`, {
    body: { state, device_code: deviceCode },
    headers: json,
  });
}

/** The QR code and device code in the answer to `startOnPage`. */
export function codesOf(reply: Pick<Reply, 'json'>): {
  readonly deviceCode: string;
  readonly qr: string;
  readonly eventsUri: string;
} {
  const { device_code, verification_uri_complete, events_uri } = reply.json();
  return {
    deviceCode: String(device_code),
    qr: String(verification_uri_complete),
    eventsUri: String(events_uri),
  };
}

/** Asks like the page until there is somewhere to go. */
export async function leavePage(page: FollowPage, deviceCode: string): Promise<URL> {
  for (let tries = 0; tries < 50; tries += 1) {
    const { location } = (await finishOnPage(page, deviceCode)).json();
    if (typeof location === 'string') return new URL(location);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the page never left');
}

/** The client's token request for the code that the page left with. */
export function redeemFromPage(page: FollowPage, location: URL): Promise<Reply> {
  const returned = { ...page.reply, location };
  return redeem(page.base, { browser: page.browser, verifier: page.verifier, returned });
}

/** The page that `POST /iam/me/identities/authorize` leads to; it ends without a code, so nobody has a verifier. */
export async function openLinkPage(base: string, browser: PcBrowser, started: Reply): Promise<FollowPage> {
  const reply = await browser.visit(String(started.json()['authorize_uri']));
  const state = /data-attempt="([^"]+)"/.exec(reply.text)?.[1] ?? '';
  return { base, browser, reply, verifier: '', state };
}
