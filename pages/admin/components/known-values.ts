import { onMounted, shallowRef, type ShallowRef } from 'vue';
import { read } from '../../shared/api';

type Options = readonly { readonly value: string; readonly label: string }[];

interface Named {
  readonly name: string;
  readonly slug?: string;
}

/**
 * What a filter chooses from; undefined while it is not known, because the caller may not read it or there is too much: the
 * filter is a text then.
 */
export function useKnownValues(of: 'providers' | 'roles'): ShallowRef<Options | undefined> {
  const options = shallowRef<Options>();
  onMounted(async () => {
    const page = await read<{ readonly items: readonly Named[]; readonly next_cursor: string | null }>(
      `admin/${of}`,
      {
        limit: 100,
      },
    ).catch(() => null);
    if (page?.next_cursor !== null) return;
    options.value = page.items.map(({ name, slug }) =>
      slug === undefined || slug === name
        ? { value: slug ?? name, label: name }
        : { value: slug, label: `${name} (${slug})` },
    );
  });
  return options;
}
