import { computed, nextTick, ref, shallowRef, watch } from 'vue';
import { useRouter } from 'vue-router';
import { call, path, type Problem } from '../../shared/api';
import { words } from '../../shared/language';
import { useLoaded } from '../../shared/page';
import { act, ask, refusal } from './feedback';

const say = words({
  saved: ['已保存。', 'Saved.'],
  deleted: ['已删除。', 'Deleted.'],
  tooMany: ['太多：最多 {most} 项。', 'Too many: it takes at most {most}.'],
});

/** What a form says of a list that is too long. */
export const tooMany = (most: number): string => say('tooMany', { most });

/** What the form of a record gives: all of a new one, and what differs in one that is there. */
interface Edit {
  readonly id: string;
  readonly created: object;
  readonly changes: object;
}

/**
 * A record below `admin/{kind}` and its page `/{kind}/{id}`; the id `+` is a new one, which begins as `empty`. Every change carries
 * the ETag of what is shown, so that it overwrites nobody's.
 */
export function useRecord<T>(kind: 'clients' | 'roles', id: string, empty: T) {
  const isNew = id === '+';
  const router = useRouter();
  const etag = shallowRef<string | null>(null);
  const to = (...below: readonly string[]) => path('admin', kind, id, ...below);
  const loaded = useLoaded(async () => {
    if (isNew) return empty;
    const { body, etag: version } = await call<T>(to());
    etag.value = version;
    return body;
  });
  const condition = () => (etag.value === null ? {} : { etag: etag.value });

  async function save({ id: newId, created, changes }: Edit): Promise<void> {
    const send = () =>
      isNew
        ? call(`admin/${kind}`, { method: 'POST', body: created })
        : call(to(), { method: 'PATCH', body: changes, ...condition() });
    if (!(await act(send, say('saved')))) return;
    if (isNew) await router.replace(`/${kind}/${encodeURIComponent(newId)}`);
    else await loaded.reload();
  }

  async function remove(title: string, text: string): Promise<void> {
    if ((await ask({ title, text, action: title, word: id })) === null) return;
    // The navigation takes back what was said before it.
    await act(async () => {
      await call(to(), { method: 'DELETE', ...condition() });
      await router.push(`/${kind}`);
    }, say('deleted'));
  }

  return { ...loaded, isNew, etag, to, condition, save, remove };
}

/** The entries of a text, one a line. */
export const linesOf = (text: string): string[] => [
  ...new Set(text.split(/\s+/).filter((line) => line !== '')),
];

/** Ticks or unticks an entry. */
export function tick(entries: Set<string>, entry: string, isTicked: unknown): void {
  if (isTicked === true) entries.add(entry);
  else entries.delete(entry);
}

/** A member that a refusal names, and its entry where that is a list. */
export interface RefusedMember {
  readonly name: string;
  readonly entry: number | null;
}

export function refusedMemberOf(problem: Problem | null): RefusedMember | null {
  const { member } = problem?.details ?? {};
  const [, name, entry] = /^(\w+)(?:\.(\d+)$)?/.exec(typeof member === 'string' ? member : '') ?? [];
  return name === undefined ? null : { name, entry: entry === undefined ? null : Number(entry) };
}

/**
 * Complaints about the fields of a form, whose controls have the ids `{form}-{member}`: what the page finds shows once a save was tried,
 * what the API finds until something is written. The first one gets the focus.
 */
export function useComplaints(form: string, findWrong: () => readonly string[]) {
  const isTried = ref(false);
  const refused = computed(() => refusedMemberOf(refusal.value));
  const isWrong = (member: string) =>
    refused.value?.name === member || (isTried.value && findWrong().includes(member));
  const focus = async (member: string) => {
    await nextTick();
    document.getElementById(`${form}-${member}`)?.focus();
  };
  watch(refused, (found) => found && focus(found.name));
  async function check(): Promise<boolean> {
    isTried.value = true;
    const [first] = findWrong();
    if (first !== undefined) await focus(first);
    return first === undefined;
  }
  return { isWrong, refused, check };
}
