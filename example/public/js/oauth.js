/** An OAuth 2.0 public client: the authorization code grant with PKCE, refresh and revocation. */
const clientId = 'web';

/** Registered with the server under its public address, whatever name this page was opened by. */
const redirectUri = (issuer, page) => `${issuer}${page}`;

/** A failure with the `error` code of the RFCs; `answer` is all that the server said. */
export class OAuthError extends Error {
  constructor(code, answer = {}) {
    super(code);
    this.code = code;
    this.answer = answer;
  }
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** The URL that begins a sign-in; `page` is where it returns. */
export async function authorizeUrl(parameters, page = '/signed-in') {
  const query = { response_type: 'code', client_id: clientId, ...(await begin(page)), ...parameters };
  return `/iam/authorize?${new URLSearchParams(query)}`;
}

/** What every authorization request says; what its end needs waits in this tab (RFC 7636, RFC 9207). */
async function begin(page) {
  const { issuer } = await fetchJson('/iam/.well-known/oauth-authorization-server');
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  sessionStorage.setItem(`sign-in ${state}`, JSON.stringify({ verifier, issuer, page }));
  return {
    redirect_uri: redirectUri(issuer, page),
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  };
}

/** Ends a sign-in that has come back to this page; false when the page was opened in another way. */
export async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has('state') && !answer.has('error')) return false;
  history.replaceState(null, '', location.pathname);
  const pending = takePending(answer.get('state'));
  if (pending === null) throw new OAuthError('state_unknown');
  if (answer.get('iss') !== pending.issuer) throw new OAuthError('issuer_wrong');
  if (answer.has('error')) throw new OAuthError(answer.get('error'));
  const grant = { grant_type: 'authorization_code', code: answer.get('code') ?? '' };
  await requestTokens({
    ...grant,
    redirect_uri: redirectUri(pending.issuer, pending.page),
    code_verifier: pending.verifier,
  });
  return true;
}

function takePending(state) {
  const pending = sessionStorage.getItem(`sign-in ${state}`);
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith('sign-in ')) sessionStorage.removeItem(key);
  return JSON.parse(pending);
}

/** A sign-in of this tab that waits until its person is connected to an account: `{ token, grant }`, or null. */
export const pendingBinding = () => JSON.parse(sessionStorage.getItem('binding'));

/** Once they are: the request that was answered `binding_required` again, which now ends in tokens. */
export const resumeSignIn = () => requestTokens(pendingBinding().grant);

/** Gives such a sign-in up. */
export const forgetBinding = () => sessionStorage.removeItem('binding');

/** The tokens of this tab: `{ access, refresh, expiresAt }`, or null. */
export const tokens = () => JSON.parse(sessionStorage.getItem('tokens'));

/** Exchanges the refresh token; several callers share one exchange. */
let refreshing;
export function refresh() {
  refreshing ??= requestTokens({ grant_type: 'refresh_token', refresh_token: tokens().refresh }).finally(
    () => (refreshing = undefined),
  );
  return refreshing;
}

/** Ends the session on the server and in this tab (RFC 7009). */
export async function signOut() {
  const { refresh: token } = tokens();
  sessionStorage.removeItem('tokens');
  await post('/iam/revoke', { token, token_type_hint: 'refresh_token' });
}

/** Asks an API with the access token; a spent one is renewed once. */
export async function api(path, init = {}) {
  if (Date.now() > tokens().expiresAt - 5_000) await refresh();
  let response = await authorized(path, init);
  if (response.status === 401) {
    await refresh();
    response = await authorized(path, init);
  }
  if (response.status === 401) throw new OAuthError('invalid_token');
  if (!response.ok) throw new OAuthError('other');
  return response.json();
}

const authorized = (path, init) =>
  fetch(path, { ...init, headers: { ...init.headers, authorization: `Bearer ${tokens().access}` } });

async function requestTokens(grant) {
  const response = await post('/iam/token', grant);
  const body = await response.json();
  if (!response.ok) {
    if (grant.grant_type === 'refresh_token' && body.error === 'invalid_grant')
      sessionStorage.removeItem('tokens');
    if (body.error === 'binding_required')
      sessionStorage.setItem('binding', JSON.stringify({ token: body.binding_token, grant }));
    throw new OAuthError(body.error ?? 'other', body);
  }
  forgetBinding();
  const expiresAt = Date.now() + body.expires_in * 1_000;
  sessionStorage.setItem(
    'tokens',
    JSON.stringify({ access: body.access_token, refresh: body.refresh_token, expiresAt }),
  );
}

const post = (path, fields) =>
  fetch(path, { method: 'POST', body: new URLSearchParams({ client_id: clientId, ...fields }) });

/** Reads JSON from this site. */
export async function fetchJson(path, headers = {}) {
  const response = await fetch(path, { headers });
  const body = await response.json();
  if (!response.ok) throw new OAuthError(body.code ?? 'other');
  return body;
}
