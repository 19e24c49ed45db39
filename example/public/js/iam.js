import { IamClient, IamClientError } from '/client/index.js';

export { IamClientError };

/**
 * Signs people in; its tokens outlive a reload of this tab. A sign-in that has to wait for an account of the shop goes on in the
 * page to which it returned, so those of `/members` return there.
 */
export const iam = new IamClient({
  clientId: 'web',
  redirectUri: location.pathname === '/members' ? '/members' : '/signed-in',
  storage: sessionStorage,
});

/** Reads JSON, as the person who is signed in. */
export async function fetchJson(path, init) {
  const response = await iam.fetch(path, init);
  const body = await response.json();
  if (!response.ok) throw new IamClientError(body.code ?? body.error ?? 'other', response.status, body);
  return body;
}

/** When the access token ends. */
export async function tokenEnd() {
  const [, claims] = (await iam.getAccessToken()).split('.');
  return new Date(JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))).exp * 1_000);
}

/** What to say of a failure: a network that is away has no code. */
export const codeOf = (error) =>
  error instanceof IamClientError && error.code !== 'network_error' ? error.code : 'temporarily_unavailable';
