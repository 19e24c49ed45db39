import type { z } from 'zod';
import { retryTransient } from './database-errors.js';
import { sha256 } from '../crypto/hash.js';
import type { DataSource, EntityManager } from 'typeorm';

/** A text is named at its fifth use: each name takes memory in every connection, which start-up and rare work would waste. */
const FREQUENT = 5;

/** Names for at most `most` texts: PostgreSQL keeps a named statement, and its memory, as long as the connection lives. */
export class StatementNames {
  private readonly names = new Map<string, string>();

  constructor(private readonly most: number) {}

  /** Gives the text its name, the same in every process: a pooler shows a server's connection to several of them. */
  add(text: string): void {
    if (this.names.size < this.most) this.names.set(text, `iam_${sha256(text)}`);
  }

  /** Undefined for a text without a name. */
  of(text: string): string | undefined {
    return this.names.get(text);
  }
}

/** The names of this process's frequent statements. */
export const statementNames = new StatementNames(256);

/** What statements have in common that differ in their values alone. */
class SqlForm {
  private fullText: string | undefined;
  private uses = 0;

  constructor(
    /** The SQL around the values: one string more than there are values. */
    readonly strings: readonly string[],
    public isVaried: boolean,
  ) {}

  /** SQL for `pg`, with `$1` for the first value. */
  get text(): string {
    this.fullText ??= this.strings.reduce((text, string, index) => `${text}$${index}${string}`);
    return this.fullText;
  }

  /** Returns the text for a run of the statement. */
  use(): string {
    const { text } = this;
    this.uses += 1;
    if (this.uses === FREQUENT && !this.isVaried) statementNames.add(text);
    return text;
  }
}

/** The forms of a template by the forms of its parts; undefined stands for a value. */
interface Composition {
  form?: SqlForm;
  readonly next: Map<SqlForm | undefined, Composition>;
}

const compositions = new WeakMap<readonly string[], Composition>();
const constants = new Map<string, readonly string[]>();

/** A statement, or a part of one, with its parameter values. */
export class Sql {
  constructor(
    readonly form: SqlForm,
    /** In the order of their placeholders. */
    readonly values: unknown[],
  ) {}

  /** SQL for `pg`, with `$1` for the first value. */
  get text(): string {
    return this.form.text;
  }
}

/** Makes a statement from a template: an `Sql` becomes a part of it, any other value, also a string, a parameter. */
export function sql(strings: readonly string[], ...parts: readonly unknown[]): Sql {
  const values: unknown[] = [];
  for (const part of parts) {
    if (part instanceof Sql) values.push(...part.values);
    else values.push(part);
  }
  return new Sql(formOf(strings, parts), values);
}

/** SQL text such as the name of a column. Only for constants in the code: other text would allow SQL injection. */
export function raw(text: string): Sql {
  return sql(constantStrings(text, () => [text]));
}

/** An empty part. */
export const empty = raw('');

/** Joins parts or values, at least one. */
export function join(parts: readonly unknown[], separator = ', '): Sql {
  const between = () => ['', ...Array<string>(parts.length - 1).fill(separator), ''];
  return sql(constantStrings(`${parts.length}\0${separator}`, between), ...parts);
}

/** Keeps a statement from being prepared: its best plan depends on its values, or it has many texts, as a list with filters. */
export function varied(statement: Sql): Sql {
  statement.form.isVaried = true;
  return statement;
}

/** The same strings for the same key, so that they have one form. */
function constantStrings(key: string, make: () => readonly string[]): readonly string[] {
  const strings = constants.get(key) ?? make();
  constants.set(key, strings);
  return strings;
}

/** Looks the form up: to join the strings of nested templates takes longer than all else that a statement costs here. */
function formOf(strings: readonly string[], parts: readonly unknown[]): SqlForm {
  let composition: Composition = compositions.get(strings) ?? { next: new Map() };
  compositions.set(strings, composition);
  for (const part of parts) {
    const key = part instanceof Sql ? part.form : undefined;
    const next: Composition = composition.next.get(key) ?? { next: new Map() };
    composition.next.set(key, next);
    composition = next;
  }
  composition.form ??= compose(strings, parts);
  return composition.form;
}

function compose([first = '', ...others]: readonly string[], parts: readonly unknown[]): SqlForm {
  const strings = [first];
  let isVaried = false;
  parts.forEach((part, index) => {
    const [head = '', ...rest] = part instanceof Sql ? part.form.strings : ['', ''];
    isVaried ||= part instanceof Sql && part.form.isVaried;
    strings.push(`${strings.pop() ?? ''}${head}`, ...rest);
    strings.push(`${strings.pop() ?? ''}${others[index] ?? ''}`);
  });
  return new SqlForm(strings, isVaried);
}

/** Runs SQL: a `DataSource` (each statement a transaction of its own) or the `EntityManager` of a transaction. */
export interface SqlExecutor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
  /** Set for an `EntityManager` in a transaction. */
  readonly queryRunner?: object | undefined;
}

/** Runs one statement without checking its rows; outside a transaction it is retried like `inTransaction`. */
export function execute(executor: SqlExecutor, statement: Sql): Promise<unknown> {
  const text = statement.form.use();
  const run = () => executor.query(text, statement.values);
  return executor.queryRunner === undefined ? retryTransient(run) : run();
}

/**
 * As `execute`, with rows parsed by `schema`. The statement must end in a SELECT or be an INSERT … RETURNING:
 * TypeORM returns `[rows, count]` for a top-level UPDATE or DELETE.
 */
export async function queryRows<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T[]> {
  return rowsOf(await execute(executor, statement)).map((row) => schema.parse(row));
}

/** As `queryRows`, for a statement with at most one row. */
export async function queryRow<T>(
  executor: SqlExecutor,
  schema: z.ZodType<T>,
  statement: Sql,
): Promise<T | null> {
  const [row] = rowsOf(await execute(executor, statement));
  return row === undefined ? null : schema.parse(row);
}

function rowsOf(result: unknown): unknown[] {
  if (Array.isArray(result)) return result;
  throw new TypeError('a statement without rows');
}

/** True when a statement, as `queryRows` takes it, gives a row: it has changed one, say. */
export async function hasRow(executor: SqlExecutor, statement: Sql): Promise<boolean> {
  return rowsOf(await execute(executor, statement)).length > 0;
}

/** What follows the end of a transaction, by its manager. */
const endings = new WeakMap<EntityManager, (() => void)[]>();

/** Runs `work` in one transaction, and retries the whole of it after a deadlock or serialization failure. */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  const ends: (() => void)[] = [];
  const run = (manager: EntityManager) => {
    endings.set(manager, ends);
    return work(manager);
  };
  return retryTransient(() => dataSource.transaction(run)).finally(() => ends.forEach((end) => end()));
}

/** Calls `end` after the transaction of `inTransaction`, until when others read what was; also after a failed one, which may have committed. */
export function afterTransaction(manager: EntityManager, end: () => void): void {
  const ends = endings.get(manager);
  if (ends === undefined) throw new TypeError('expected the manager of inTransaction');
  ends.push(end);
}
