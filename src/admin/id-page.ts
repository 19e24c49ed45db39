import { validate as isUuid } from 'uuid';
import type { z } from 'zod';
import type { PageRequest } from '../database/sql-fragments.js';
import { IamError } from '../errors/iam.error.js';
import { readCursor, toPage, type pageQuery } from './page.js';

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
