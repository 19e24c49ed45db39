import { shallowRef } from 'vue';
import { adminToken, call, parse, Problem } from './api';
import { settings } from './settings';

const ATTEMPT = 'iam-sign-in';

/** Why the sign-in that has just come back did not succeed. */
export const signInProblem = shallowRef<Problem | null>(null);

/** What the browser keeps until it comes back. */
interface Attempt {
  readonly state: string;
  readonly verifier: string;
  /** Where the person was, below the page. */
  readonly returnTo: string;
  readonly redirectUri: string;
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Leaves the page for a sign-in (RFC 6749 §4.1 with PKCE) that returns to `page`, and then to `returnTo`. */
export async function startSignIn(
  page: 'admin' | 'account',
  {
    provider,
    method,
    returnTo,
  }: { readonly provider?: string; readonly method?: string; readonly returnTo: string },
): Promise<void> {
  const verifier = random();
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const redirectUri = `${settings.origin}${settings.base}/ui/${page}`;
  const attempt: Attempt = { state: random(), verifier, returnTo, redirectUri };
  sessionStorage.setItem(ATTEMPT, JSON.stringify(attempt));
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: redirectUri,
    state: attempt.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
    ...(provider !== undefined && { provider }),
    ...(method !== undefined && { method }),
  });
  location.assign(`${settings.base}/authorize?${query.toString()}`);
}

/**
 * Ends a sign-in that has just come back: the spent code leaves the address, the session is in HttpOnly cookies. Resolves to
 * where the person was, or null where none came back.
 * @throws Problem with the code that the sign-in ended with
 */
export async function finishSignIn(): Promise<string | null> {
  const query = new URLSearchParams(location.search);
  const state = query.get('state');
  if (state === null) return null;
  const attempt = takeAttempt();
  history.replaceState(history.state, '', location.pathname);
  // First: anybody can write a link with an error of their own words.
  if (attempt?.state !== state) throw new Problem(400, { code: 'state_mismatch' });
  const error = query.get('error');
  if (error !== null) throw new Problem(400, { code: error, title: query.get('error_description') });
  await call('token', {
    method: 'POST',
    body: {
      grant_type: 'authorization_code',
      client_id: settings.clientId,
      code: query.get('code'),
      code_verifier: attempt.verifier,
      redirect_uri: attempt.redirectUri,
    },
  });
  return attempt.returnTo;
}

function takeAttempt(): Attempt | null {
  const text = sessionStorage.getItem(ATTEMPT);
  sessionStorage.removeItem(ATTEMPT);
  return text === null ? null : parse(text);
}

/** Ends the session of this browser. */
export async function signOut(): Promise<void> {
  if (adminToken.value !== null) return;
  await call('revoke', { method: 'POST', body: { client_id: settings.clientId } });
}
