import { ref, shallowRef } from 'vue';
import { call, path, Problem, read } from '../shared/api';
import { toProblem } from '../shared/page';
import { settings } from '../shared/settings';
import { openClient } from '../shared/sign-in';

/** `GET /me`. */
export interface Me {
  readonly id: string;
  readonly nickname: string | null;
  readonly avatar_url: string | null;
  readonly phone_number: string | null;
  readonly phone_verified_at: string | null;
  readonly deletion_at: string | null;
  readonly created_at: string;
}

/** One of `GET /me/identities`. */
export interface Identity {
  readonly id: string;
  readonly provider: string;
  readonly kind: 'open' | 'mp' | 'mini' | 'mobile';
  readonly appid: string;
  readonly linked_at: string;
  readonly follows: boolean | null;
}

/** One of `GET /me/api_keys`. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly permissions: readonly string[];
  readonly live: boolean;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
}

/** How many sessions a person may have. */
interface SessionLimit {
  readonly per_user: number | null;
  readonly per_client: number | null;
  readonly then: 'end_oldest' | 'refuse';
}

/** One of `GET /me/sessions`. */
export interface Session {
  readonly id: string;
  readonly current: boolean;
  readonly provider: string;
  readonly method: string;
  readonly device: string;
  readonly ip: string | null;
  readonly created_at: string;
  readonly last_used_at: string;
}

/** One of `GET /me/consents`: an application of a third party that the person has let in. */
export interface Consent {
  readonly client_id: string;
  readonly name: string;
  readonly client_uri: string | null;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  readonly created_at: string;
}

/** One of `GET /providers`. */
export interface Provider {
  readonly slug: string;
  readonly name: string;
  readonly recommended: string | null;
}

const LINK = 'iam-link';

/**
 * How a link ended that has just come back; null where none has. Read before the client is made, which would take its failure for
 * that of a sign-in.
 */
export const linked = takeLinked();
export const iam = openClient('account');

export const me = shallowRef<Me | null>(null);
export const identities = shallowRef<readonly Identity[]>([]);
export const sessions = shallowRef<readonly Session[]>([]);
export const sessionLimit = shallowRef<SessionLimit | null>(null);
export const apiKeys = shallowRef<readonly ApiKey[]>([]);
/** What the person may give a key. */
export const grantable = shallowRef<readonly string[]>([]);
export const consents = shallowRef<readonly Consent[]>([]);
export const providers = shallowRef<readonly Provider[]>([]);

/** Why the page could not be filled. */
export const loadProblem = shallowRef<Problem | null>(null);
/** Why nobody is signed in; null while somebody is. */
export const signedOut = ref<'needed' | 'erased' | null>(null);

/** Rises whenever what is being read has become old. */
let latest = 0;

/** Fills the page, or brings it up to date; what is shown stays while it does. */
export async function load(): Promise<void> {
  const mine = (latest += 1);
  loadProblem.value = null;
  try {
    const [profile, linked, devices, keys, agreed, offer] = await Promise.all([
      read<Me>('me'),
      read<{ items: Identity[] }>('me/identities'),
      read<{ items: Session[]; limit: SessionLimit | null }>('me/sessions'),
      read<{ items: ApiKey[]; permissions: string[] }>('me/api_keys'),
      read<{ items: Consent[] }>('me/consents'),
      read<{ providers: Provider[] }>('providers'),
    ]);
    if (mine !== latest) return;
    me.value = profile;
    identities.value = linked.items;
    sessions.value = devices.items;
    sessionLimit.value = devices.limit;
    apiKeys.value = keys.items;
    grantable.value = keys.permissions;
    consents.value = agreed.items;
    providers.value = offer.providers;
    signedOut.value = null;
  } catch (thrown) {
    const problem = toProblem(thrown);
    if (mine !== latest) return;
    if (problem.status === 401) leave('needed');
    else loadProblem.value = problem;
  }
}

/** Nobody is signed in: nothing of the account stays on the screen. */
export function leave(reason: 'needed' | 'erased'): void {
  latest += 1;
  signedOut.value = reason;
  me.value = null;
  identities.value = [];
  sessions.value = [];
  apiKeys.value = [];
  grantable.value = [];
  consents.value = [];
}

/** What a person knows a provider by. */
export function providerName(slug: string): string {
  return providers.value.find((each) => each.slug === slug)?.name ?? slug;
}

export async function saveNickname(text: string): Promise<void> {
  const nickname = text.trim() === '' ? null : text;
  me.value = (await call<Me>('me', { method: 'PATCH', body: { nickname } })).body;
}

/** True where the person still comes back to this account by the identity. */
export async function unlink(id: string, endOthers: boolean): Promise<boolean> {
  const query = { end_other_sessions: String(endOthers) };
  const { body } = await call<{ rejoins: boolean }>(path('me', 'identities', id), {
    method: 'DELETE',
    query,
  });
  await load();
  return body.rejoins;
}

export async function endSession(id: string): Promise<void> {
  await call(path('me', 'sessions', id), { method: 'DELETE' });
  sessions.value = sessions.value.filter((each) => each.id !== id);
}

/** Ends what an application of a third party may have. */
export async function withdraw(id: string): Promise<void> {
  await call(path('me', 'consents', id), { method: 'DELETE' });
  await load();
}

/** How many there were. */
export async function endOtherSessions(): Promise<number> {
  const { body } = await call<{ ended: number }>('me/sessions', { method: 'DELETE' });
  sessions.value = sessions.value.filter(({ current }) => current);
  return body.ended;
}

/** The key itself, which the server does not give again. */
export async function makeApiKey(given: {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly days: string;
}): Promise<string> {
  const { name, permissions, days } = given;
  const end = days === '' ? null : new Date(Date.now() + Number(days) * 86_400_000).toISOString();
  const body = { name, permissions, expires_at: end };
  const made = (await call<{ key: string; api_key: ApiKey }>('me/api_keys', { method: 'POST', body })).body;
  apiKeys.value = [made.api_key, ...apiKeys.value];
  return made.key;
}

export async function endApiKey(id: string): Promise<void> {
  await call(path('me', 'api_keys', id), { method: 'DELETE' });
  apiKeys.value = apiKeys.value.filter((each) => each.id !== id);
}

export async function forgetPhone(): Promise<void> {
  await call('me/phone_number', { method: 'DELETE' });
  if (me.value !== null) me.value = { ...me.value, phone_number: null, phone_verified_at: null };
}

/** Hands the browser a file of everything. */
export async function download(): Promise<void> {
  const { body } = await call('me/export');
  const url = URL.createObjectURL(new Blob([JSON.stringify(body, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'account.json';
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Where no grace is given, the account is gone at once. */
export async function requestDeletion(): Promise<void> {
  const { body } = await call<{ deletion_at?: string }>('me/deletion', { method: 'POST' });
  if (body.deletion_at === undefined) leave('erased');
  else await load();
}

export async function cancelDeletion(): Promise<void> {
  await call('me/deletion', { method: 'DELETE' });
  if (me.value !== null) me.value = { ...me.value, deletion_at: null };
}

/** Leaves for WeChat; the callback comes back to this page with `linked` or `error`. */
export async function startLink(provider: string): Promise<void> {
  const state = `link-${crypto.randomUUID()}`;
  const redirect_uri = `${settings.origin}${settings.base}/ui/account`;
  const { body } = await call<{ authorize_uri: string }>('me/identities/authorize', {
    method: 'POST',
    body: { provider, redirect_uri, state },
  });
  sessionStorage.setItem(LINK, state);
  location.assign(body.authorize_uri);
}

function takeLinked(): { readonly error: string | null } | null {
  const query = new URLSearchParams(location.search);
  const state = sessionStorage.getItem(LINK);
  if (state === null || query.get('state') !== state) return null;
  sessionStorage.removeItem(LINK);
  history.replaceState(history.state, '', location.pathname);
  return { error: query.get('error') };
}
