import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, type EntityMetadata } from 'typeorm';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { z } from 'zod';
import { bookkeepingTables, migrationNames } from '../database/iam-migrations.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { hasRow, queryRows, sql, join, raw, type Sql } from '../database/sql.js';
import { iamEntities } from '../iam.entities.js';

/** How to end `migrations_missing`. */
export const MIGRATE =
  'run the migrations: `npx nestjs-wechat-iam migrate`, or `migrationsRun: true` with `iamMigrations`; where none is pending, restore what was dropped or disabled';

/** A complete schema is checked again after this time, in milliseconds; an incomplete one, each time. */
const TRUST_MS = 60_000;
/** Names in a log line, which more of them would make unreadable. */
const NAMED = 5;

/** The host may create its first provider row while it starts, after this module. */
const PATIENCE_MS = 2_000;

const providerSql = sql`/* background */ SELECT 1 FROM iam.identity_providers LIMIT 1`;

/**
 * Checks that the schema has all that this version needs: at the start for the log, later for `IamHealth`. Logs the next step for a
 * newcomer while no provider row exists.
 */
@Injectable()
export class SchemaWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger('IamModule');
  private trustedUntil = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly urls: IamUrls,
  ) {}

  /** Does not stop the start: the host may run its migrations later, or in another process. Health reports an unreachable database. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.options.background)
      this.timer = setTimeout(() => void this.warnIfEmpty().catch(() => undefined), PATIENCE_MS).unref();
    const gaps = await this.find().catch(() => null);
    if (gaps !== null)
      this.logger.error(
        `the schema iam lacks what this version needs: ${describe(gaps)}. To mend it, ${MIGRATE}`,
      );
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer);
  }

  private async warnIfEmpty(): Promise<void> {
    if (await hasRow(this.dataSource, providerSql)) return;
    this.logger.warn(
      `nobody can sign in yet: there is no provider row. Make one with \`npx nestjs-wechat-iam provider add wechat --open-app-id … --open-app-secret-from -\`, POST ${this.urls.endpoint('admin/providers')}, or INSERT INTO iam.identity_providers. Without a WeChat account: \`npx nestjs-wechat-iam emulator --demo\``,
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

  /** Makes `find` check again after a statement has failed for lack of an object. */
  forget(): void {
    this.trustedUntil = Number.NEGATIVE_INFINITY;
  }
}

function describe({ missing, pending }: SchemaGaps): string {
  const migrations = pending.length === 0 ? [] : [`migrations that have not run: ${firstOf(pending)}`];
  return [...(missing.length === 0 ? [] : [firstOf(missing)]), ...migrations].join('; ');
}

function firstOf(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Objects and migrations that the database lacks; both lists are empty where it is complete. */
export interface SchemaGaps {
  /** Columns as `table.column`; other objects with their kind: `table users`, `trigger users.users_bar_or_lift`. */
  readonly missing: readonly string[];
  /** Migrations that have not run; empty where no table of TypeORM lists any of this module. */
  readonly pending: readonly string[];
}

/** Triggers that enforce rules, as `table.trigger`. No entity declares them; a test compares them with a migrated database. */
const neededTriggers = [
  'audit_log.audit_log_append_only',
  'audit_log_default.audit_log_append_only',
  'audit_log_undated.audit_log_append_only',
  'audit_log.audit_log_keep_for_sink',
  'audit_log.audit_log_keeps_the_young',
  'browser_sessions.browser_sessions_end_born',
  'clients.clients_refuse_unknown_roles',
  'identities.identities_bar_of_disabled',
  'identities.identities_carry_union',
  'identities.identities_refuse_barred',
  'identities.identities_refuse_barred_union',
  'identity_unions.identity_unions_remove_replaced',
  'identity_unions.identity_unions_remove_uncarried',
  'roles.roles_keep_for_clients',
  'sessions.sessions_tell_of_end',
  'sessions.sessions_tell_of_erasure',
  'users.users_bar_or_lift',
  'users.users_refuse_taken_phone_change',
  'users.users_refuse_taken_phone_number',
];

/** Functions that statements call, as `regprocedure` writes them. */
const neededFunctions = [
  'iam.audit_id()',
  'iam.copy_grants(regclass,regclass)',
  'iam.make_room(uuid,uuid,text,integer,integer,boolean,uuid)',
  'iam.partition_key(text,timestamp with time zone)',
  'iam.partitions_of(text)',
  'iam.roll_partitions(timestamp with time zone,integer)',
  'iam.subject_hash(text,text,text)',
  'iam.take_points(text[],integer[],double precision[],text[],double precision[])',
];

/** `table` is null for an object outside tables. */
type Need = readonly [
  kind: 'column' | 'constraint' | 'unique index' | 'trigger' | 'function' | 'books',
  table: string | null,
  name: string,
];

/**
 * A missing table stands for all its columns, constraints, indexes and triggers. `books` are TypeORM's tables of migrations; only
 * readable ones with a column `name` are found, since another tool may use a table of the same name.
 */
const gapsSql = (needs: readonly Need[]): Sql => sql`
  /* background */ SELECT DISTINCT
    CASE WHEN needed.kind = 'books' THEN 'books' WHEN needed.t IS NOT NULL AND c.oid IS NULL THEN 'table' ELSE needed.kind END AS kind,
    CASE WHEN needed.t IS NOT NULL AND c.oid IS NULL THEN needed.t ELSE concat_ws('.', needed.t, needed.name) END AS name
  FROM unnest(${needs.map(([kind]) => kind)}::text[], ${needs.map(([, table]) => table)}::text[], ${needs.map(([, , name]) => name)}::text[]) AS needed (kind, t, name)
  LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('iam') AND c.relname = needed.t AND c.relkind IN ('r', 'p')
  WHERE CASE needed.kind
    WHEN 'column' THEN NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = needed.name AND NOT attisdropped)
    WHEN 'constraint' THEN NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND conname = needed.name)
    WHEN 'unique index' THEN NOT EXISTS (
      SELECT FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid AND i.relname = needed.name AND indisunique AND indisvalid)
    WHEN 'trigger' THEN NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = needed.name AND tgenabled IN ('O', 'A'))
    WHEN 'function' THEN to_regprocedure(needed.name) IS NULL
    ELSE has_table_privilege(to_regclass(needed.name), 'SELECT') AND EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass(needed.name) AND attname = 'name' AND NOT attisdropped)
  END ORDER BY 1, 2`;
const gapRow = z.object({ kind: z.string(), name: z.string() });
const executedRow = z.object({ name: z.string() });

/**
 * Compares the catalog and TypeORM's tables of migrations with this version. Neither suffices alone: databases of early
 * versions list migrations whose files were different then, and a migration may change only rows, indexes or the body of a
 * function.
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

/** Columns, constraints and unique indexes come from the entities, so that a new one is included automatically. */
function neededOf(dataSource: DataSource): Need[] {
  return [
    ...iamEntities.flatMap((entity) => ofTable(dataSource.getMetadata(entity))),
    ...neededTriggers.map((trigger): Need => {
      const [table = '', name = ''] = trigger.split('.');
      return ['trigger', table, name];
    }),
    ['constraint', 'webhook_events_undated', 'webhook_events_undated_replay_key_key'],
    ...neededFunctions.map((name): Need => ['function', null, name]),
    ...bookkeepingTables(dataSource).map((name): Need => ['books', null, name]),
  ];
}

function ofTable({
  tableName: table,
  columns,
  checks,
  uniques,
  foreignKeys,
  indices,
}: EntityMetadata): Need[] {
  const constraints = [...checks, ...uniques, ...foreignKeys].map(({ name }) => name);
  return [
    ...columns.map(({ databaseName }): Need => ['column', table, databaseName]),
    ...[...constraints, `${table}_pkey`].map((name): Need => ['constraint', table, name]),
    ...indices.filter(({ isUnique }) => isUnique).map(({ name }): Need => ['unique index', table, name]),
  ];
}

/** Empty where no table lists any of our migrations: the host may record them in a table that this connection does not name. */
async function findPending(dataSource: DataSource, books: readonly string[]): Promise<string[]> {
  if (books.length === 0) return [];
  const selects = books.map(
    (table) => sql`SELECT name::text FROM ${raw(table)} WHERE name::text = ANY (${migrationNames})`,
  );
  const executedSql = sql`/* background */ ${join(selects, ' UNION ')}`;
  const executed = (await queryRows(dataSource, executedRow, executedSql)).map(({ name }) => name);
  return executed.length === 0 ? [] : migrationNames.filter((name) => !executed.includes(name));
}
