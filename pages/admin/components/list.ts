import { computed, ref, shallowRef, watch } from 'vue';
import { useRoute } from 'vue-router';
import { type Problem, type Query, read } from '../../shared/api';
import { toProblem } from '../../shared/page';
import { isRevisit } from '../router';

/** A page of the API's lists. */
interface Page<Row> {
  readonly items: readonly Row[];
  readonly next_cursor: string | null;
}

/** A column of a list; its cells are the slot `cell-<key>`, or the value itself. */
export interface Column {
  readonly key: string;
  readonly label: string;
}

/** A filter, kept in the query of the address by its name: a select where the values are known, else a text or a time. */
export interface Filter {
  readonly name: string;
  readonly label: string;
  readonly options?: readonly { readonly value: string; readonly label: string }[];
  readonly type?: 'text' | 'time';
  /** Another filter without which the API does not take this one. */
  readonly with?: string;
}

/** A list of the API and how it is shown. */
export interface ListSpec<Row> {
  /** Below the base: `admin/logins`. */
  readonly path: string;
  /** What the list is of, for screen readers. */
  readonly label: string;
  readonly key: (row: Row) => string;
  readonly columns: readonly Column[];
  readonly filters?: readonly Filter[];
  /** Filters that the person cannot change. */
  readonly fixed?: Query;
}

/** What lists have shown, by entry of the history, so that Back finds a list as it was left. */
const shown = new Map<string, unknown>();
const MOST_KEPT = 30;

/** Where the router stands in the history. */
function positionOf(state: unknown): string {
  return typeof state === 'object' && state !== null && 'position' in state ? String(state.position) : '';
}

function keep(key: string, page: unknown): void {
  shown.delete(key);
  shown.set(key, page);
  for (const oldest of shown.keys()) {
    if (shown.size <= MOST_KEPT) return;
    shown.delete(oldest);
  }
}

/** The rows of a list of the API, page by page: filtered by the query of the address, and by what is `fixed`. */
export function useList<Row>(spec: () => ListSpec<Row>) {
  const route = useRoute();
  const page = shallowRef<Page<Row> | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const isLoading = ref(true);
  let latest = 0;
  const entry = () => `${positionOf(history.state)} ${spec().path} ${route.fullPath}`;

  const query = (): Query => {
    const { filters = [], fixed = {} } = spec();
    return {
      ...Object.fromEntries(filters.map(({ name }) => [name, String(route.query[name] ?? '')])),
      ...fixed,
    };
  };
  const load = async (after: Page<Row> | null) => {
    const mine = ++latest;
    isLoading.value = true;
    problem.value = null;
    try {
      const cursor = after?.next_cursor ?? undefined;
      const next = await read<Page<Row>>(spec().path, { ...query(), cursor });
      if (mine !== latest) return;
      page.value = { ...next, items: [...(after?.items ?? []), ...next.items] };
      keep(entry(), page.value);
    } catch (error) {
      if (mine === latest) problem.value = toProblem(error);
    } finally {
      if (mine === latest) isLoading.value = false;
    }
  };
  const begin = () => {
    const left = isRevisit() ? shown.get(entry()) : undefined;
    if (left === undefined) void load(null);
    else {
      // Kept by this function under the path of this list.
      page.value = left as Page<Row>;
      isLoading.value = false;
    }
  };
  // Not once it is mounted: the router restores the position of the page before.
  begin();
  watch(() => [spec().path, JSON.stringify(query())].join(' '), begin);

  return {
    items: computed(() => page.value?.items ?? []),
    hasMore: computed(() => (page.value?.next_cursor ?? null) !== null),
    problem,
    isLoading,
    more: () => load(page.value),
    reload: () => load(null),
  };
}
