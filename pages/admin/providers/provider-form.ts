import { computed, nextTick, reactive, ref, shallowRef, type Ref } from 'vue';
import { call, path, type Problem } from '../../shared/api';
import { words } from '../../shared/language';
import { toProblem } from '../../shared/page';
import { announce, ask, hush } from '../components/feedback';
import { useProviderDraft, type Conflict, type Overtaken } from './provider-draft';
import { allFields, tabOf, type FormColumn, type TabName } from './provider-fields';
import type { Provider } from './provider-types';
import { columnName, tabTitle } from './provider-words';

const say = words({
  saved: ['已保存，5 秒内对所有副本生效。', 'Saved; it reaches every replica within 5 seconds.'],
  retargetTitle: ['换成另一个应用？', 'Change to another app?'],
  retargetText: [
    '{apps} 将换成另一个 AppID。同一个人在另一个应用里有另一个 openid：没有 unionid 可对应的人会成为新用户。',
    '{apps}: the AppID becomes another one. In another app everybody has another openid, and people without a unionid in common become new users.',
  ],
  retarget: ['更换 AppID', 'Change the AppID'],
  unsafeTitle: ['不再要求确认？', 'Ask for no confirmation?'],
  unsafeText: [
    '扫码即登录：把二维码骗给别人扫的人，会以对方的身份登录。',
    'The scan alone signs in: somebody who talks another person into scanning is signed in as that person.',
  ],
  unsafe: ['不要求确认', 'Ask for none'],
});

/** The element of a place on the page takes the focus, in the tab that it stands in. */
export async function showPlace(place: string, tab: Ref<TabName>): Promise<void> {
  tab.value = tabOf(place);
  await nextTick();
  const box = document.getElementById(`place-${place}`);
  const folded = box?.closest('details');
  if (folded !== null && folded !== undefined) folded.open = true;
  const control = box?.querySelector<HTMLElement>('input:not([type=radio]), input:checked, button');
  (control ?? box)?.focus();
}

/** The form of a row that exists: what is written, its save, and what is to be said about it. */
export function useProviderForm(initial: Provider, tab: Ref<TabName>) {
  const draft = useProviderDraft(initial);
  const left = reactive(new Set<FormColumn>());
  const isTried = ref(false);
  const isSaving = ref(false);
  const problem = shallowRef<Problem | null>(null);
  const overtaken = shallowRef<Overtaken | null>(null);
  const provider = computed(() => draft.base.value ?? initial);
  const to = `admin/${path('providers', initial.slug)}`;

  const blockers = computed(() =>
    (isTried.value ? [...draft.complaints.value.keys()] : []).map((column) => ({
      key: column,
      label: `${tabTitle(tabOf(column))} · ${columnName(column)}`,
    })),
  );

  function settle(stored: Provider): void {
    draft.accept(stored);
    overtaken.value = null;
    isTried.value = false;
    left.clear();
  }

  async function save(): Promise<void> {
    hush();
    problem.value = null;
    isTried.value = true;
    if (draft.complaints.value.size > 0) return showFirst();
    if (!(await confirmConsequences())) return;
    isSaving.value = true;
    try {
      const { etag } = provider.value;
      settle((await call<Provider>(to, { method: 'PATCH', body: draft.body.value, etag })).body);
      announce(say('saved'));
    } catch (error) {
      await refused(toProblem(error));
    } finally {
      isSaving.value = false;
    }
  }

  async function showFirst(): Promise<void> {
    const [first] = draft.complaints.value.keys();
    if (first !== undefined) await showPlace(first, tab);
  }

  async function refused(found: Problem): Promise<void> {
    if (draft.refuse(found)) return showFirst();
    if (found.status !== 412) {
      problem.value = found;
      return;
    }
    try {
      overtaken.value = draft.overtake((await call<Provider>(to)).body);
    } catch (error) {
      problem.value = toProblem(error);
    }
  }

  /** What a change does to people is asked about before it is saved. */
  async function confirmConsequences(): Promise<boolean> {
    const before = provider.value;
    const retargeted = allFields.filter(
      ({ field }) =>
        field.column.endsWith('_app_id') && valueOf(before, field.column) !== null && draft.isChanged(field),
    );
    if (retargeted.length > 0) {
      const apps = retargeted.map((each) => tabTitle(each.tab)).join(', ');
      const question = {
        title: say('retargetTitle'),
        text: say('retargetText', { apps }),
        action: say('retarget'),
      };
      if ((await ask(question)) === null) return false;
    }
    if (before.qr_confirmation === 'none' || draft.plain.qr_confirmation !== 'none') return true;
    return (
      (await ask({ title: say('unsafeTitle'), text: say('unsafeText'), action: say('unsafe') })) !== null
    );
  }

  function discard(): void {
    draft.discard();
    problem.value = null;
    overtaken.value = null;
    isTried.value = false;
    left.clear();
  }

  function choose({ field, theirs, mine }: Conflict, whose: 'mine' | 'theirs'): void {
    draft.write(field.column, whose === 'mine' ? mine : theirs);
  }

  return { draft, provider, left, isTried, isSaving, problem, overtaken, blockers, save, discard, choose };
}

const valueOf = (provider: Provider, column: string): unknown =>
  Object.entries(provider).find(([name]) => name === column)?.[1] ?? null;
