import { z } from 'zod';
import { IamError } from '../errors/iam.error.js';
import type { PageRequest } from '../database/sql-fragments.js';
import { validate as isUuid } from 'uuid';

const MAX_LIMIT = 100;

/** The query parameters that every list takes; `.extend` it with the list's own filters. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(20),
  cursor: z.string().max(512).optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
});

/** What a list answers: one page, and the cursor of the next one, or null at the end. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/** Where a page begins: after the row with this key, which has the form of the list's keys. */
export function readCursor(cursor: string | undefined, form = /^[\w-]{1,63}$/): string | null {
  if (cursor === undefined) return null;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!form.test(key)) throw new IamError('invalid_request', 'cursor: not one of ours');
  return key;
}

/** A page of at most `limit` rows, from `limit + 1` that were read; `keyOf` is what the list is sorted by. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  { limit }: { readonly limit: number },
  { keyOf, toItem }: { readonly keyOf: (row: Row) => string; readonly toItem: (row: Row) => Item },
): { readonly items: Item[]; readonly next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(toItem),
    next_cursor: last === undefined ? null : Buffer.from(keyOf(last), 'utf8').toString('base64url'),
  };
}

/** The page that a request asks for, of a list sorted by id. @throws IamError `invalid_request` for a foreign cursor */
export function toPageRequest({ limit, cursor, order }: z.infer<typeof pageQuery>): PageRequest {
  const after = readCursor(cursor);
  if (after !== null && !isUuid(after)) throw new IamError('invalid_request', 'cursor: not one of ours');
  return { limit, order, after };
}

/** What such a list answers. */
export function toIdPage<Row extends { readonly id: string }, Item>(
  rows: readonly Row[],
  page: PageRequest,
  toItem: (row: Row) => Item,
) {
  return toPage(rows, page, { keyOf: ({ id }) => id, toItem });
}
