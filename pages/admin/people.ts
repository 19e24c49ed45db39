import { reactive } from 'vue';
import { path, read } from '../shared/api';
import { may } from './access';

/** Nicknames by user id, as far as they are known; null: there is no such user any more, or they have none. */
const names = reactive(new Map<string, string | null>());
const waiting: string[] = [];
const asked = new Set<string>();
const AT_ONCE = 4;
let running = 0;

/** The nickname of a user, once it is there. Entries of the audit log hold ids alone; who may see users sees names. */
export function nameOf(id: string): string | null {
  if (!asked.has(id) && may('iam:users:read')) {
    asked.add(id);
    waiting.push(id);
    void work();
  }
  return names.get(id) ?? null;
}

async function work(): Promise<void> {
  if (running >= AT_ONCE) return;
  running += 1;
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    const found = await read<{ nickname: string | null }>(path('admin', 'users', id)).catch(() => null);
    names.set(id, found?.nickname ?? null);
  }
  running -= 1;
}
