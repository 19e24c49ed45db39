import { computed, ref, shallowRef } from 'vue';
import { adminToken, call, Problem, read, useAdminToken } from '../shared/api';
import { openClient } from '../shared/sign-in';

/** The signed-in person, as `GET /me` tells. */
export interface Me {
  readonly id: string;
  readonly nickname: string | null;
  readonly avatar_url: string | null;
  readonly roles: readonly string[];
}

interface Access {
  readonly actor: 'admin_token' | 'host' | 'user' | 'service' | 'api_key';
  readonly permissions: readonly string[];
}

export const iam = openClient('admin');

/** `unknown` until the API has been asked. */
export const state = ref<'unknown' | 'signed_out' | 'signed_in' | 'failed'>('unknown');
export const me = shallowRef<Me | null>(null);
export const failure = shallowRef<Problem | null>(null);
const access = shallowRef<Access | null>(null);

export const actor = computed(() => access.value?.actor ?? null);

/** Whether the caller may do what the permission is for; the API decides, the page only hides what it would refuse. */
export function may(permission: string): boolean {
  return access.value?.permissions.includes(permission) ?? false;
}

/** Rises whenever what is being asked has become old. */
let latest = 0;

/** Asks who calls. */
export async function loadAccess(): Promise<void> {
  const mine = (latest += 1);
  try {
    const found = await read<Access>('admin/access');
    const person = found.actor === 'user' ? await read<Me>('me') : null;
    if (mine !== latest) return;
    access.value = found;
    me.value = person;
    state.value = 'signed_in';
  } catch (error) {
    if (mine !== latest) return;
    failure.value = error instanceof Problem ? error : new Problem(500, {});
    state.value = failure.value.status === 401 ? 'signed_out' : 'failed';
  }
}

/** @throws Problem for a token that the API does not take */
export async function enterAdminToken(token: string): Promise<void> {
  useAdminToken(token);
  try {
    access.value = (await call<Access>('admin/access')).body;
    latest += 1;
    me.value = null;
    state.value = 'signed_in';
  } catch (error) {
    useAdminToken(null);
    throw error;
  }
}

/**
 * Forgets the admin token, and ends the session that a person may have in this browser: who signs out leaves nobody signed in.
 * @throws Problem where the server could not be told
 */
export async function leave(): Promise<void> {
  const hadToken = adminToken.value !== null;
  useAdminToken(null);
  if (hadToken) forget();
  await iam.signOut();
  forget();
}

function forget(): void {
  latest += 1;
  access.value = null;
  me.value = null;
  state.value = 'signed_out';
}

/** Follows those who sign in and out of the browser in other tabs. */
export function followTabs(): void {
  iam.onChange((isSignedIn) => {
    if (adminToken.value !== null) return;
    if (isSignedIn) void loadAccess();
    else forget();
  });
}
