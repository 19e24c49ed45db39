import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import type { PageRequest } from '../database/sql-fragments.js';
import { IamError } from '../errors/iam.error.js';

const MAX_LIMIT = 100;

/** The query parameters that every list takes; `.extend` it with the list's own filters. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(20),
  cursor: z.string().max(512).optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
});

/** The response of a list: one page, and the cursor of the next one, or null at the end. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/** One page, as `pageOf` describes it. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/**
 * One page of a list sorted by id, from the rows that `read` finds.
 * @throws IamError `invalid_request` for a cursor that is not one of ours
 */
export async function idPage<Row extends { readonly id: string }, Item>(
  { limit, cursor, order }: z.infer<typeof pageQuery>,
  read: (page: PageRequest) => Promise<readonly Row[]>,
  toItem: (row: Row) => Item,
): Promise<Page<Item>> {
  const after = readCursor(cursor);
  if (after !== null && !isUuid(after)) throw new IamError('invalid_request', 'cursor: not one of ours');
  return toPage(await read({ limit, order, after }), { limit }, { keyOf: ({ id }) => id, toItem });
}

/** The key of the row after which a page begins; `form` is that of the list's keys. */
export function readCursor(cursor: string | undefined, form = /^[\w-]{1,63}$/): string | null {
  if (cursor === undefined) return null;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!form.test(key)) throw new IamError('invalid_request', 'cursor: not one of ours');
  return key;
}

/** A page of at most `limit` rows, from `limit + 1` that were read; the list is sorted by `keyOf`. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  { limit }: { readonly limit: number },
  { keyOf, toItem }: { readonly keyOf: (row: Row) => string; readonly toItem: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(toItem),
    next_cursor: last === undefined ? null : Buffer.from(keyOf(last), 'utf8').toString('base64url'),
  };
}
