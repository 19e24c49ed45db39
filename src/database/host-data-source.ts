import type { DataSource, EntitySchema } from 'typeorm';
import { isDatabaseUnavailable } from './database-errors.js';

const REMEDY =
  'give the module a connection of its own (option `database`, or `dataSource` with a second connection)';

/**
 * Returns the host's DataSource after a check that its settings do not change the module's tables, names or values.
 * @throws TypeError that names the wrong setting
 */
export async function checkHostDataSource(
  dataSource: DataSource,
  entities: readonly EntitySchema[],
): Promise<DataSource> {
  if (!dataSource.isInitialized) return dataSource;
  const problem =
    problemOfOptions(dataSource) ??
    problemOfNames(dataSource, entities) ??
    (await problemOfValues(dataSource));
  if (problem !== null)
    throw new TypeError(`IamModule cannot use this TypeORM connection: ${problem}; ${REMEDY}`);
  return dataSource;
}

function problemOfOptions({ options }: DataSource): string | null {
  if (options.type !== 'postgres') return `\`type\` is '${options.type}', expected 'postgres'`;
  const { cache, replication } = options;
  if (typeof cache === 'object' && cache.alwaysEnabled === true)
    return '`cache.alwaysEnabled` keeps what has changed meanwhile, such as a disabled provider row';
  if (replication !== undefined && replication.defaultMode !== 'master')
    return "`replication` reads what a standby may not have yet; expected `replication.defaultMode: 'master'`";
  return null;
}

function problemOfNames(dataSource: DataSource, entities: readonly EntitySchema[]): string | null {
  for (const entity of entities) {
    if (!dataSource.hasMetadata(entity)) return '`entities` lacks iamEntities (or set `autoLoadEntities`)';
    const { tableName, givenTableName: expected, columns } = dataSource.getMetadata(entity);
    const renamed =
      tableName === expected
        ? columns.find(({ propertyName, databaseName }) => databaseName !== propertyName)?.databaseName
        : tableName;
    if (renamed === undefined) continue;
    const setting = (dataSource.options.entityPrefix ?? '') === '' ? 'namingStrategy' : 'entityPrefix';
    return `\`${setting}\` renames tables or columns of the schema iam (${expected}: ${renamed})`;
  }
  return null;
}

/** Values of the types that statements of this module read; parsers set on `pg` apply to the whole process. */
const samples: readonly (readonly [type: string, sql: string, isRight: (value: unknown) => boolean])[] = [
  [
    'timestamptz',
    `'2026-01-02T03:04:05Z'::timestamptz`,
    (value) => value instanceof Date && value.toJSON() === '2026-01-02T03:04:05.000Z',
  ],
  ['json', `'{"a":1}'::json`, isParsed],
  ['jsonb', `'{"a":1}'::jsonb`, isParsed],
  ['text[]', `ARRAY['a','b']`, (value) => Array.isArray(value) && value.join() === 'a,b'],
  ['bool', 'true', (value) => value === true],
  ['int4', '1::int4', (value) => value === 1],
  ['float8', '1.5::float8', (value) => value === 1.5],
  ['text', `'a'::text`, (value) => value === 'a'],
  [
    'uuid',
    `'01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f'::uuid`,
    (value) => value === '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
  ],
];

async function problemOfValues(dataSource: DataSource): Promise<string | null> {
  const columns = samples.map(([, sql], index) => `${sql} AS v${index}`);
  try {
    const rows: unknown = await dataSource.query(`SELECT ${columns.join(', ')}`);
    const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
    if (typeof row !== 'object' || row === null) return '`extra` changes the form of rows';
    const wrong = samples.find(([, , isRight], index) => !isRight(Reflect.get(row, `v${index}`)));
    if (wrong === undefined) return null;
    return `values of the type ${wrong[0]} are not read as \`pg\` does by default (\`pg.types.setTypeParser\`, \`extra.types\`, or the server's DateStyle)`;
  } catch (error) {
    if (isDatabaseUnavailable(error)) return null;
    throw error;
  }
}

function isParsed(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Reflect.get(value, 'a') === 1;
}
