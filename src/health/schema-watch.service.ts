import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource, type EntityMetadata } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { z } from 'zod';
import { bookkeepingTables } from '../database/iam-migrations.js';
import { queryRows, sql, join, raw, type Sql } from '../database/sql.js';
import { iamMigrations } from '../../migrations/index.js';
import { iamEntities } from '../iam.entities.js';

/** What ends `migrations_missing`. */
export const MIGRATE =
  'run the migrations: `npx nestjs-wechat-iam migrate`, or `migrationsRun: true` with `iamMigrations`; where none is pending, restore what was dropped or disabled';

/** A whole schema is looked at again after this time, in milliseconds; one that lacks something, each time. */
const TRUST_MS = 60_000;
/** More names than these make no log line clearer. */
const NAMED = 5;

/** Whether the database has what this version needs; the start says so in the log, `IamHealth` whenever it is asked. */
@Injectable()
export class SchemaWatch implements OnApplicationBootstrap {
  private readonly logger = new IamLogger('IamModule');
  private trustedUntil = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /** The host's migrations may run later, or by another process: nothing is stopped. A database that is away is told of elsewhere. */
  async onApplicationBootstrap(): Promise<void> {
    const gaps = await this.find().catch(() => null);
    if (gaps !== null)
      this.logger.error(
        `the schema iam lacks what this version needs: ${wordsOf(gaps)}. To mend it, ${MIGRATE}`,
      );
  }

  /** Null where nothing is missing. */
  async find(): Promise<SchemaGaps | null> {
    if (this.clock.elapsed() < this.trustedUntil) return null;
    const gaps = await findSchemaGaps(this.dataSource);
    if (gaps.missing.length + gaps.pending.length > 0) return gaps;
    this.trustedUntil = this.clock.elapsed() + TRUST_MS;
    return null;
  }

  /** A statement has found something missing: makes `find` look again. */
  forget(): void {
    this.trustedUntil = Number.NEGATIVE_INFINITY;
  }
}

function wordsOf({ missing, pending }: SchemaGaps): string {
  const migrations = pending.length === 0 ? [] : [`migrations that have not run: ${some(pending)}`];
  return [...(missing.length === 0 ? [] : [some(missing)]), ...migrations].join('; ');
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What a database lacks of what this version needs; both lists are empty where it lacks nothing. */
export interface SchemaGaps {
  /** Columns as `table.column`; what is no column, with its kind: `table users`, `trigger users.users_bar_or_lift`. */
  readonly missing: readonly string[];
  /** Migrations that have not run, as far as a table of TypeORM knows some of ours. */
  readonly pending: readonly string[];
}

/** Triggers that keep rules, as `table.trigger`. They have no entity; the catalog of a migrated database is their test. */
export const neededTriggers = [
  'audit_log.audit_log_append_only',
  'audit_log.audit_log_keep_for_sink',
  'audit_log.audit_log_keeps_the_young',
  'identities.identities_bar_of_disabled',
  'identities.identities_carry_union',
  'identities.identities_refuse_barred',
  'identities.identities_refuse_barred_union',
  'identity_unions.identity_unions_remove_replaced',
  'identity_unions.identity_unions_remove_uncarried',
  'users.users_bar_or_lift',
];

/** Functions that statements call, as `regprocedure` writes them. */
export const neededFunctions = [
  'iam.subject_hash(text,text,text)',
  'iam.take_points(text[],integer[],double precision[],text[],double precision[])',
];

interface Need {
  readonly kind: 'column' | 'constraint' | 'trigger' | 'function' | 'books';
  /** Null: it belongs to no table. */
  readonly table: string | null;
  readonly name: string;
}

/**
 * A table that is not there is named instead of all that belongs to it. `books` are tables of
 * TypeORM, found where they can be read; another tool may keep a table of the same name.
 */
const gapsSql = (needs: readonly Need[]): Sql => sql`
  /* background */ SELECT DISTINCT
    CASE WHEN needed.kind = 'books' THEN 'books' WHEN needed.t IS NOT NULL AND c.oid IS NULL THEN 'table' ELSE needed.kind END AS kind,
    CASE WHEN needed.t IS NOT NULL AND c.oid IS NULL THEN needed.t ELSE concat_ws('.', needed.t, needed.name) END AS name
  FROM unnest(${needs.map(({ kind }) => kind)}::text[], ${needs.map(({ table }) => table)}::text[], ${needs.map(({ name }) => name)}::text[]) AS needed (kind, t, name)
  LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('iam') AND c.relname = needed.t AND c.relkind IN ('r', 'p')
  WHERE CASE needed.kind
    WHEN 'column' THEN NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = needed.name AND NOT attisdropped)
    WHEN 'constraint' THEN NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND conname = needed.name)
    WHEN 'trigger' THEN NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = needed.name AND tgenabled IN ('O', 'A'))
    WHEN 'function' THEN to_regprocedure(needed.name) IS NULL
    ELSE has_table_privilege(to_regclass(needed.name), 'SELECT') AND EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass(needed.name) AND attname = 'name' AND NOT attisdropped)
  END ORDER BY 1, 2`;
const gapRow = z.object({ kind: z.string(), name: z.string() });
const noteRow = z.object({ name: z.string() });

/**
 * Looks at the catalog, and at what TypeORM has noted. The notes alone do not tell: databases of early versions have the
 * names of migrations whose files were different then. The catalog alone does not either: a migration may change only rows,
 * indexes or the body of a function.
 */
export async function findSchemaGaps(dataSource: DataSource): Promise<SchemaGaps> {
  const rows = await queryRows(dataSource, gapRow, gapsSql(neededOf(dataSource)));
  const books = rows.filter(({ kind }) => kind === 'books').map(({ name }) => name);
  return {
    missing: rows
      .filter(({ kind }) => kind !== 'books')
      .map(({ kind, name }) => (kind === 'column' ? name : `${kind} ${name}`)),
    pending: await findPending(dataSource, books),
  };
}

/** Columns and constraints by what the entities say, so that a new one is looked for by itself. */
function neededOf(dataSource: DataSource): Need[] {
  return [
    ...iamEntities.flatMap((entity) => ofTable(dataSource.getMetadata(entity))),
    ...neededTriggers.map((trigger): Need => {
      const [table = '', name = ''] = trigger.split('.');
      return { kind: 'trigger', table, name };
    }),
    ...neededFunctions.map((name): Need => ({ kind: 'function', table: null, name })),
    ...bookkeepingTables(dataSource).map((name): Need => ({ kind: 'books', table: null, name })),
  ];
}

function ofTable({ tableName: table, columns, checks, uniques, foreignKeys }: EntityMetadata): Need[] {
  const constraints = [...checks, ...uniques, ...foreignKeys].map(({ name }) => name);
  return [
    ...columns.map((column): Need => ({ kind: 'column', table, name: column.databaseName })),
    ...[...constraints, `${table}_pkey`].map((name): Need => ({ kind: 'constraint', table, name })),
  ];
}

/** Nothing where no table knows any of ours: a host may keep the notes in a table that this connection does not name. */
async function findPending(dataSource: DataSource, books: readonly string[]): Promise<string[]> {
  if (books.length === 0) return [];
  const ours = iamMigrations.map((Migration) => new Migration().name);
  const notes = books.map(
    (table) => sql`SELECT name::text FROM ${raw(table)} WHERE name::text = ANY (${ours})`,
  );
  const executedSql = sql`/* background */ ${join(notes, ' UNION ')}`;
  const executed = (await queryRows(dataSource, noteRow, executedSql)).map(({ name }) => name);
  return executed.length === 0 ? [] : ours.filter((name) => !executed.includes(name));
}
