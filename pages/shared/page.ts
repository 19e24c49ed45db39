import { onMounted, ref, type Ref, shallowRef } from 'vue';
import { IamClientError } from '../../client/index.js';
import { Problem } from './api';
import { codeOfDescription } from './problem-text';

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
  if (error instanceof IamClientError) return ofClient(error);
  // eslint-disable-next-line no-console
  console.error(error);
  return new Problem(500, {});
}

/** Of a sign-in that failed without a response, as of one that was refused: only `network_error` is the network's. */
function ofClient({ code, status, details }: IamClientError): Problem {
  if (code === 'network_error') return new Problem(0, {});
  const { error_description: title } = details;
  return new Problem(status || 400, { title, ...details, code: codeOfDescription(title) ?? code });
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
