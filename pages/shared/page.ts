import { onMounted, ref, type Ref, shallowRef } from 'vue';
import { Problem } from './api';

/** What a view that reads from the API shows. */
interface Loaded<T> {
  readonly value: Ref<T | null>;
  readonly problem: Ref<Problem | null>;
  readonly isLoading: Ref<boolean>;
  reload(): Promise<void>;
}

/** Any error as a Problem; a bug of the page is logged and shown as `unexpected`. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // eslint-disable-next-line no-console
  console.error(error);
  return new Problem(500, {});
}

/** Reads when the component is shown, and again by `reload`; a response that comes late replaces no newer one. */
export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const value = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const isLoading = ref(true);
  let latest = 0;
  const reload = async () => {
    const mine = ++latest;
    isLoading.value = true;
    problem.value = null;
    try {
      const loaded = await load();
      if (mine === latest) value.value = loaded;
    } catch (error) {
      if (mine === latest) problem.value = toProblem(error);
    } finally {
      if (mine === latest) isLoading.value = false;
    }
  };
  onMounted(reload);
  return { value, problem, isLoading, reload };
}
