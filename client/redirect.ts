import { IamClientError } from './error.js';

/** What a tab keeps of a sign-in while its person is at WeChat. */
interface Pending {
  readonly verifier: string;
  readonly issuer: string;
  readonly redirectUri: string;
  readonly returnTo: string | null;
}

/** A sign-in that has come back to this page. */
export interface Returned {
  readonly code: string | null;
  readonly error: string | null;
  readonly description: string | null;
  readonly issuer: string;
  /** Null: this tab has started no such sign-in. */
  readonly pending: Pending | null;
}

const prefix = (clientId: string) => `iam ${clientId} `;
/** What our states begin with: other libraries of the page are told apart by it. */
const MARK = 'iam.';

/** Remembers the start of a sign-in, and gives the parameters that say so (RFC 7636 §4). */
export async function beginRedirect(
  clientId: string,
  start: Omit<Pending, 'verifier'>,
): Promise<Record<string, string>> {
  if (!isSecureContext) throw new IamClientError('insecure_context');
  const state = MARK + random();
  const verifier = random();
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  sessionStorage.setItem(prefix(clientId) + state, JSON.stringify({ ...start, verifier }));
  return {
    redirect_uri: start.redirectUri,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  };
}

/**
 * Takes the response out of the address, so that neither a reload, Back nor a script that runs later finds it. The parameters of
 * another library, and of another client of ours, are left alone.
 */
export function takeReturn(clientId: string, redirectUri: string): Returned | null {
  const url = new URL(location.href);
  const query = url.searchParams;
  const [state, issuer, code, error, description] = names.map((name) => query.get(name));
  const isOurs = `${url.origin}${url.pathname}` === redirectUri.replace(/[?#].*/, '');
  if (!isOurs || !state || !issuer || (code ?? error) == null || isOfOthers(clientId, state)) return null;
  for (const name of names) query.delete(name);
  history.replaceState(history.state, '', url);
  return {
    code: code ?? null,
    error: error ?? null,
    description: description ?? null,
    issuer,
    pending: takePending(prefix(clientId), state),
  };
}

/** One with our mark that nobody has begun is ours too: its tab has lost what it kept. */
function isOfOthers(clientId: string, state: string): boolean {
  if (sessionStorage.getItem(prefix(clientId) + state) !== null) return false;
  return !state.startsWith(MARK) || Object.keys(sessionStorage).some((key) => key.endsWith(` ${state}`));
}

const names = ['state', 'iss', 'code', 'error', 'error_description'] as const;

/** The code that a return may be exchanged for. @throws IamClientError */
export function checkReturn({ code, error, description, issuer, pending }: Returned) {
  if (pending === null) throw new IamClientError('state_mismatch');
  if (issuer !== pending.issuer) throw new IamClientError('issuer_mismatch');
  if (error !== null || code === null)
    throw new IamClientError(error ?? 'invalid_request', 0, { error, error_description: description });
  return { code, ...pending };
}

/** A return ends every attempt of the tab: none of them is still on a screen. */
function takePending(attempts: string, state: string): Pending | null {
  const kept = sessionStorage.getItem(attempts + state);
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(attempts)) sessionStorage.removeItem(key);
  const pending: unknown = JSON.parse(kept ?? 'null');
  return isPending(pending) ? pending : null;
}

function isPending(kept: unknown): kept is Pending {
  return typeof kept === 'object' && kept !== null && 'verifier' in kept && 'issuer' in kept;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '');
}
