import { iam, IamClientError } from './iam.js';

/** Asks the shop's own API, with the cookie of a password sign-in if there is one. Throws an `IamClientError` with the shop's code. */
async function shop(method, path, body) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(path, { method, headers, body: JSON.stringify(body) });
  const answer = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new IamClientError(answer.error ?? 'other', response.status, answer);
  return answer;
}

/** The member whom the shop's cookie belongs to, or null. */
export const memberByCookie = async () => (await shop('GET', '/members/session')).member;

/** Signs in the old way. */
export const signInByPassword = (credentials) => shop('POST', '/members/session', credentials);

/** Ends a sign-in by password. */
export const signOutOfShop = () => shop('DELETE', '/members/session');

/** "I have an account": the shop checks the password and connects the WeChat of the sign-in that waits in this page. */
export async function connectAccount(credentials, { another, bindingToken }) {
  await shop('POST', '/members/wechat', { ...credentials, another, binding_token: bindingToken });
  await finish();
}

/** "I am new here": the shop makes an account for the WeChat of the sign-in that waits in this page. */
export async function joinShop(name, bindingToken) {
  await shop('POST', '/members', { name, binding_token: bindingToken });
  await finish();
}

/** The sign-in with WeChat goes on where it waited. Its tokens take the place of a password sign-in in this browser. */
async function finish() {
  try {
    await iam.resumeSignIn();
  } catch {
    throw new IamClientError('resume_failed');
  }
  await signOutOfShop().catch(() => undefined);
  location.replace('/signed-in');
}
