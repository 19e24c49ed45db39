import { ref, shallowRef, watch } from 'vue';
import { parse, Problem } from '../shared/api';
import { toProblem } from '../shared/page';
import { textOf } from '../shared/problem-text';
import { signInProblem, startSignIn } from '../shared/sign-in';
import {
  endApiKey,
  endOtherSessions,
  endSession,
  forgetPhone,
  iam,
  leave,
  type linked,
  load,
  makeApiKey,
  me,
  requestDeletion,
  startLink,
  unlink,
  withdraw,
} from './account';
import { problemWords, say } from './words';

/** What a dialog asks about, with what the person has chosen in it. */
export type Action =
  | { readonly kind: 'unlink'; readonly id: string; readonly name: string; endOthers: boolean }
  | { readonly kind: 'link'; provider: string }
  | { readonly kind: 'endSession'; readonly id: string; readonly name: string }
  | { readonly kind: 'endOthers' }
  | { readonly kind: 'makeKey'; name: string; permissions: string[]; days: string }
  | { readonly kind: 'madeKey'; readonly key: string }
  | { readonly kind: 'endKey'; readonly id: string; readonly name: string }
  | { readonly kind: 'withdraw'; readonly id: string; readonly name: string }
  | { readonly kind: 'forgetPhone'; readonly number: string }
  | { readonly kind: 'erase'; isUnderstood: boolean };

/** The dialog that is open. */
export const asked = ref<Action | null>(null);
/** The action waits for a sign-in. */
export const needsSignIn = ref(false);
export const isBusy = ref(false);
export const actionProblem = shallowRef<Problem | null>(null);

/** What has just happened, in a live region. */
export const news = shallowRef<{ readonly text: string; readonly tone: 'good' | 'bad' } | null>(null);

/** The nickname that is being typed; null while nobody edits it. */
export const draft = ref<string | null>(null);

// Nothing that one person has begun is left for the next.
watch(
  () => me.value?.id,
  (_, before) => {
    if (before === undefined) return;
    asked.value = null;
    draft.value = null;
  },
);

export function ask(action: Action): void {
  actionProblem.value = null;
  needsSignIn.value = false;
  asked.value = action;
}

/** A new key is not lost by a slip of the hand. */
export function dismiss(): void {
  if (!isBusy.value && asked.value?.kind !== 'madeKey') asked.value = null;
}

/** A refusal in words of this page, else those of its code. */
export function explain(problem: Problem): string {
  if (problem.status === 0) return say('offline');
  const codes = [`${asked.value?.kind}:${problem.code}`, problem.code];
  const ours = codes.map(problemWords).find((text, at) => text !== codes[at]);
  return ours ?? (textOf(problem) || say('failed'));
}

/** Runs something, and says how it ended. A session that is over ends the page too. */
export async function attempt(work: () => Promise<string | null>): Promise<Problem | null> {
  isBusy.value = true;
  news.value = null;
  try {
    const text = await work();
    if (text !== null) news.value = { text, tone: 'good' };
    return null;
  } catch (thrown) {
    const problem = toProblem(thrown);
    if (problem.status === 401 && problem.code !== 'recent_sign_in_required') await load();
    return problem;
  } finally {
    isBusy.value = false;
  }
}

/** What the action leads to. */
let next: Action | null = null;

/** Does what the open dialog asks about. */
export async function confirm(): Promise<void> {
  const action = asked.value;
  if (action === null || isBusy.value) return;
  actionProblem.value = null;
  next = null;
  const problem = await attempt(() => run(action));
  if (problem === null) asked.value = next;
  else if (problem.code === 'recent_sign_in_required') needsSignIn.value = true;
  else actionProblem.value = problem;
}

async function run(action: Action): Promise<string | null> {
  switch (action.kind) {
    case 'unlink':
      return say((await unlink(action.id, action.endOthers)) ? 'unlinkedRejoins' : 'unlinked');
    case 'link':
      await startLink(action.provider);
      return null;
    case 'endSession':
      await endSession(action.id);
      return say('ended');
    case 'withdraw':
      await withdraw(action.id);
      return say('withdrawn');
    case 'endOthers':
      return say('endedCount', { count: await endOtherSessions() });
    case 'makeKey':
      next = { kind: 'madeKey', key: await makeApiKey(action) };
      return null;
    case 'madeKey':
      return null;
    case 'endKey':
      await endApiKey(action.id);
      return say('keyEnded');
    case 'forgetPhone':
      await forgetPhone();
      return say('phoneForgotten');
    case 'erase':
      await requestDeletion();
      return null;
  }
}

const PENDING = 'iam-pending';

/** Says how a link ended that has just come back. */
export function tellLinked({ error }: NonNullable<typeof linked>): void {
  if (error === null) news.value = { text: say('linked'), tone: 'good' };
  else {
    const problem = new Problem(400, { code: error, title: say('linkFailed') });
    news.value = { text: explain(problem), tone: 'bad' };
  }
}

/** What waits in this tab while its person signs in once more. */
interface Pending {
  readonly userId: string;
  readonly action: Action | null;
  readonly draft: string | null;
}

/** Signs the person in again, for the open dialog. */
export async function signInAgain(): Promise<void> {
  const pending: Pending = { userId: me.value?.id ?? '', action: asked.value, draft: draft.value };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  isBusy.value = true;
  await startSignIn(iam);
  isBusy.value = false;
  actionProblem.value = signInProblem.value;
}

/** The browser's Back shows the page as it was left. */
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) isBusy.value = false;
});

/** Opens the dialog again for which the person has signed in, unless another person came back. */
export function resume(): void {
  // Who declined is signed in as before.
  if (me.value !== null && signInProblem.value !== null)
    news.value = { text: explain(signInProblem.value), tone: 'bad' };
  const text = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  if (text === null || me.value === null) return;
  const pending = parse<Pending>(text);
  if (pending.userId !== me.value.id) {
    news.value = { text: say('stepUpOther'), tone: 'bad' };
    return;
  }
  draft.value = pending.draft;
  if (pending.action !== null) ask(pending.action);
}

/** Ends the session of this browser. */
export async function signOut(): Promise<void> {
  const problem = await attempt(async () => {
    await iam.signOut();
    return null;
  });
  if (problem === null || problem.status === 401) leave('needed');
  else news.value = { text: explain(problem), tone: 'bad' };
}
