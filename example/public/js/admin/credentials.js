import { refresh, signOut, tokens } from '../oauth.js';

const key = 'admin-token';

/** The admin token, kept in this tab alone, or null. */
export const adminToken = () => sessionStorage.getItem(key);

/** Uses an admin token from now on. */
export const keepAdminToken = (token) => sessionStorage.setItem(key, token);

/** Goes on as the signed-in person, if there is one. */
export const forgetAdminToken = () => sessionStorage.removeItem(key);

/** True for whoever has something to show to the admin API. */
export const isSignedIn = () => adminToken() !== null || tokens() !== null;

/** The person of this tab, whoever acts: `/iam/me`, or null. */
export async function findPerson() {
  if (tokens() === null) return null;
  const response = await withBearer('/iam/me', {}, 'person');
  if (response.ok) return response.json();
  if (response.status === 401) sessionStorage.removeItem('tokens');
  return null;
}

/** Ends the person's session; an admin token stays. */
export const endSession = () => signOut().catch(() => undefined);

/** A request with the admin token, else with the person's access token, which is renewed once when it is spent. */
export async function withBearer(path, init, whose = 'whoever') {
  const send = (token) =>
    fetch(path, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
  if (adminToken() !== null && whose !== 'person') return send(adminToken());
  const response = await send(tokens()?.access ?? 'none');
  if (response.status !== 401 || tokens() === null) return response;
  const isRenewed = await refresh().then(
    () => true,
    () => false,
  );
  return isRenewed ? send(tokens().access) : response;
}
