/** What the API refuses of a list: one of its entries, that they are too many, or the list as a whole for another reason. */
export type ListRefusal =
  | { readonly kind: 'entry'; readonly line: string }
  | { readonly kind: 'tooMany'; readonly most: number }
  | { readonly kind: 'whole' };

/** As many entries as the API takes. */
export const mostEntries = { client: 100, apiKey: 100, role: 200 } as const;

/** `at` is the entry that the API names, null for none. */
export function listRefusal(entries: readonly string[], at: number | null, most: number): ListRefusal {
  const line = at === null ? undefined : entries[at];
  if (line !== undefined) return { kind: 'entry', line };
  return entries.length > most ? { kind: 'tooMany', most } : { kind: 'whole' };
}
