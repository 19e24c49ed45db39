import { z } from 'zod';
import { queryRows, sql, empty, join, raw, varied, Sql, type SqlExecutor } from './sql.js';

/** A uuid in a row: described like `z.uuid()`, without its check, since a row that was written by hand may have any. */
export const rowId = z.string().meta(describe(z.uuid()));

/** A time in a row, as responses have it: described like `z.iso.datetime()`. */
export const rowTime = z.coerce
  .date()
  .transform((at) => at.toISOString())
  .meta(describe(z.iso.datetime()));

function describe(schema: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { target: 'openapi-3.0' }) };
}

/** A text in a row of which responses have only what `mask` leaves. */
export const rowMasked = (mask: (text: string) => string) =>
  z.string().transform(mask).meta(describe(z.string()));

/** A condition on the rows of a list. */
export class ListFilter {
  constructor(
    readonly condition: Sql,
    /**
     * Another relation in the condition, with at most one row for each row of the list, and its column that equals the list's
     * key: its index may return the page in order.
     */
    readonly relation?: { readonly join: Sql; readonly key: string },
  ) {}
}

/** A query parameter that narrows a list down: parsed, it is the condition. */
export function filter<T>(schema: z.ZodType<T>, conditionOf: (value: T) => Sql | ListFilter) {
  return schema
    .transform((value) => {
      const condition = conditionOf(value);
      return condition instanceof Sql ? new ListFilter(condition) : condition;
    })
    .optional();
}

/** A query parameter whose value `column` must have. */
export function equal<T>(column: string, schema: z.ZodType<T>) {
  return filter(schema, (value) => sql`${raw(column)} = ${value}`);
}

/** The key of the row after which a page begins, as the page before gave it. */
const cursor = (key: z.ZodType<string, string>) =>
  z
    .string()
    .max(512)
    .transform((text) => Buffer.from(text, 'base64url').toString('utf8'))
    .pipe(key)
    .optional();

const limit = z.coerce.number().int().min(1).max(100).default(20);

const pageQuery = z.object({
  limit,
  cursor: cursor(z.uuid()),
  order: z.enum(['newest', 'oldest']).default('newest'),
});

/** The query parameters of every list sorted by name, which in SQL may be any; `.extend` it with the list's own. */
export const namesQuery = z.object({ limit, cursor: cursor(z.string().regex(/^[^\0]+$/)) });

/** The response of a list: one page, and the cursor of the next one, or null at the end. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/** One page, as `pageOf` describes it. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/** A list sorted by its `key`, a uuid v7: rows as the response shows them, and the SQL that selects them. */
interface ListSource<Row extends z.ZodType> {
  readonly row: Row;
  readonly columns: Sql;
  readonly from: Sql;
  readonly key: string;
}

/** A list with the schemas of its query, in which all given filters must be met, and of its response. */
export function defineList<Row extends z.ZodType<{ readonly id: string }>, Filters extends z.ZodRawShape>(
  source: ListSource<Row>,
  filters: Filters,
) {
  return { ...source, query: pageQuery.extend(filters), page: pageOf(source.row) };
}

/** Reads one page of a list in one round trip. */
export async function readPage<Row extends { readonly id: string }>(
  executor: SqlExecutor,
  list: ListSource<z.ZodType<Row>>,
  { limit, cursor, order, ...filters }: z.infer<typeof pageQuery>,
): Promise<Page<Row>> {
  const given = Object.values<unknown>(filters).filter((each) => each instanceof ListFilter);
  const page = selectPage(list, given, { limit, cursor, order });
  return toPage(await queryRows(executor, list.row, page), limit, ({ id }) => id);
}

/**
 * Contains only the given filters, so that the planner finds the index of each; a page starts at its key, so that a late page
 * costs no more than the first. One more row is read to detect a next page.
 */
function selectPage(
  { columns, from, key }: ListSource<z.ZodType>,
  filters: readonly ListFilter[],
  { limit, cursor, order }: z.infer<typeof pageQuery>,
): Sql {
  const [beyond, direction] = order === 'newest' ? [raw('<'), raw('DESC')] : [raw('>'), raw('ASC')];
  const relations = filters.flatMap(({ relation }) => relation ?? []);
  const conditions = filters.map(({ condition }) => condition);
  if (cursor !== undefined) {
    const keys = [key, ...relations.map((relation) => relation.key)];
    conditions.push(...keys.map((each) => sql`${raw(each)} ${beyond} ${cursor}::uuid`));
  }
  const sources = join([from, ...relations.map((relation) => relation.join)], ', ');
  const where = conditions.length === 0 ? empty : sql`WHERE ${join(conditions, ' AND ')}`;
  return varied(
    sql`SELECT ${columns} FROM ${sources} ${where} ORDER BY ${raw(key)} ${direction} LIMIT ${limit + 1}`,
  );
}

/** A page of at most `limit` rows, from `limit + 1` that were read; the list is sorted by `keyOf`. */
export function toPage<Row>(rows: readonly Row[], limit: number, keyOf: (row: Row) => string): Page<Row> {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items,
    next_cursor: last === undefined ? null : Buffer.from(keyOf(last), 'utf8').toString('base64url'),
  };
}

/** A LIKE pattern for texts that start with `prefix`, with its wildcards escaped. */
export function prefixPattern(prefix: string): string {
  return `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
}
