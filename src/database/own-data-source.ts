import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';
import { isDatabaseUnavailable } from './database-errors.js';
import { OWN_TABLE, ownBookkeeping, pendingMigrations, runOwnMigrations } from './iam-migrations.js';
import { iamMigrations } from '../../migrations/index.js';
import { IamLogger } from '../runtime/iam-logger.js';
import type { ResolvedIamDatabase } from '../config/iam.resolved-options.js';

const CONNECT_MS = 10_000;
/** Attempts as in `TypeOrmModule`: the database may start later than the application. */
const ATTEMPTS = 10;
const PAUSE_MS = 3_000;

/**
 * Opens the module's own connections, independent of the host's ORM.
 * @throws Error when migrations are pending and `database.migrationsRun` is off
 */
export async function openOwnDataSource(
  database: ResolvedIamDatabase,
  entities: readonly EntitySchema[],
): Promise<DataSource> {
  const dataSource = await connect(database, entities);
  try {
    await migrate(dataSource, database);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

async function migrate(dataSource: DataSource, { migrationsRun }: ResolvedIamDatabase): Promise<void> {
  const pending = await pendingMigrations(dataSource, OWN_TABLE);
  // Without this line a replica could not start on a standby, which is read-only until its promotion.
  if (pending.length === 0) return;
  if (!migrationsRun)
    throw new Error(
      `${pending.length} migrations of the schema iam have not run: run \`npx nestjs-wechat-iam migrate --migrations-table iam.migrations\` before the start, or set the IamModule option \`database.migrationsRun\``,
    );
  await runOwnMigrations(dataSource, 'public.migrations');
}

async function connect(
  database: ResolvedIamDatabase,
  entities: readonly EntitySchema[],
): Promise<DataSource> {
  const logger = new IamLogger('IamDatabase');
  // Elsewhere TypeORM loads it, when the host connects.
  const { types } = (await import('pg')).default;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dataSourceOf(database, entities, types).initialize();
    } catch (error) {
      if (attempt === ATTEMPTS || !isDatabaseUnavailable(error)) throw error;
      logger.warn(`PostgreSQL does not answer, attempt ${attempt} of ${ATTEMPTS}: ${String(error)}`);
      await delay(PAUSE_MS);
    }
  }
}

function dataSourceOf(
  { url, poolSize, ssl }: ResolvedIamDatabase,
  entities: readonly EntitySchema[],
  types: typeof pg.types,
): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    ...ownBookkeeping,
    entities: [...entities],
    migrations: [...iamMigrations],
    poolSize,
    ...(ssl !== undefined && { ssl }),
    installExtensions: false,
    applicationName: 'nestjs-wechat-iam',
    connectTimeoutMS: CONNECT_MS,
    extra: { types: { getTypeParser: typeParsers(types) } },
  });
}

type TypeId = (typeof pg.types.builtins)[keyof typeof pg.types.builtins];
type Parser = (text: string) => unknown;

/** The default parsers of `pg`: the host may have replaced them with `pg.types.setTypeParser` for the whole process. */
function typeParsers(types: typeof pg.types): (oid: TypeId, format?: 'text') => Parser {
  const { builtins } = types;
  const parsers: Readonly<Record<number, Parser | undefined>> = {
    [builtins.BOOL]: (text) => text === 't',
    [builtins.INT2]: Number,
    [builtins.INT4]: Number,
    [builtins.INT8]: String,
    [builtins.FLOAT4]: Number,
    [builtins.FLOAT8]: Number,
    [builtins.JSON]: (text) => JSON.parse(text) as unknown,
    [builtins.JSONB]: (text) => JSON.parse(text) as unknown,
    [builtins.TIMESTAMPTZ]: (text) => parseTime(text),
  };
  return (oid, format) => {
    const other: unknown = types.getTypeParser(oid, format);
    return (
      parsers[oid] ??
      ((text): unknown => (typeof other === 'function' ? Reflect.apply(other, null, [text]) : text))
    );
  };
}

/** `2026-11-27 08:30:00.123456+08` or `+05:30`. */
function parseTime(text: string): unknown {
  const [, date, time, offset = '+00'] =
    /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*([+-]\d\d(?::\d\d)?)/.exec(text) ?? [];
  if (date === undefined || time === undefined) return text;
  return new Date(`${date}T${time}${offset.length === 3 ? `${offset}:00` : offset}`);
}
