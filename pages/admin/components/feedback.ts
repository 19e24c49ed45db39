import { ref, shallowRef } from 'vue';
import type { Problem } from '../../shared/api';
import { toProblem } from '../../shared/page';

/** A question before something is done. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
  /** Has to be typed, for what cannot be undone. */
  readonly word?: string;
  /** Asks for a reason too, which the answer has. */
  readonly reason?: string;
  readonly isHarmless?: boolean;
}

/** What the person decided: null for "cancel", else the reason, empty where none is asked. */
type Decision = string | null;

export const question = shallowRef<(Question & { readonly decide: (decision: Decision) => void }) | null>(
  null,
);

/** Asks, in a dialog; null where the person changed their mind. */
export function ask(asked: Question): Promise<Decision> {
  return new Promise((resolve) => {
    question.value = {
      ...asked,
      decide: (decision) => {
        question.value = null;
        resolve(decision);
      },
    };
  });
}

export const done = ref('');
export const refusal = shallowRef<Problem | null>(null);
let clearing: ReturnType<typeof setTimeout> | undefined;

/** Says what has been done, for eyes and screen readers. */
export function announce(message: string): void {
  refusal.value = null;
  done.value = message;
  clearTimeout(clearing);
  clearing = setTimeout(() => (done.value = ''), 8_000);
}

/** Takes back what was said of the view before. */
export function hush(): void {
  done.value = '';
  refusal.value = null;
}

/** Does what a button is for, and says that it is done, or why not. Resolves to whether it is done. */
export async function act(work: () => Promise<unknown>, message: string): Promise<boolean> {
  hush();
  try {
    await work();
    announce(message);
    return true;
  } catch (error) {
    refusal.value = toProblem(error);
    return false;
  }
}
