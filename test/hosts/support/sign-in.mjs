import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Browser } from './browser.mjs';

/** RFC 7636 §4. */
function pkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

function authorizeUrl({ authorization_endpoint: endpoint }, redirectUri, challenge) {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'web',
    redirect_uri: redirectUri,
    state: 'client-state',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    provider: 'wechat',
  });
  return `${endpoint}?${query}`;
}

function tokenRequest(returned, redirectUri, verifier) {
  assert.equal(returned.origin + returned.pathname, redirectUri);
  assert.equal(returned.searchParams.get('state'), 'client-state');
  return {
    grant_type: 'authorization_code',
    client_id: 'web',
    code: returned.searchParams.get('code'),
    redirect_uri: redirectUri,
    code_verifier: verifier,
  };
}

/** Starts where `url` says and answers what WeChat's return got, when the person has scanned and confirmed. */
export async function scanFrom(browser, url, { emulator, lan }) {
  const start = await browser.visit(url);
  assert.equal(start.status, 302, JSON.stringify(start.body));
  const screen = await emulator.showQrCode(start.location.href);
  await lan.scan(screen.content);
  await lan.confirm();
  const { redirectTo } = await screen.finish();
  return browser.visit(redirectTo);
}

/** In a PC browser: QR code, scan, confirmation on the phone, code, tokens by form. */
export async function signInOnPc(metadata, redirectUri, wechat) {
  const browser = new Browser();
  const { verifier, challenge } = pkce();
  const { status, location } = await scanFrom(
    browser,
    authorizeUrl(metadata, redirectUri, challenge),
    wechat,
  );
  assert.equal(status, 303);
  const form = tokenRequest(location, redirectUri, verifier);
  return browser.visit(metadata.token_endpoint, { form });
}

/** Inside WeChat: the link, consent, code, tokens by JSON. */
export async function signInInsideWechat(metadata, redirectUri, { lan }) {
  const { verifier, challenge } = pkce();
  let page = await lan.openInWechat(authorizeUrl(metadata, redirectUri, challenge));
  if (!page.url.startsWith(redirectUri)) page = await lan.confirm();
  const json = tokenRequest(new URL(page.url), redirectUri, verifier);
  return new Browser().visit(metadata.token_endpoint, { json });
}
