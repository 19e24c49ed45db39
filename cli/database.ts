import { DataSource, type Logger } from 'typeorm';
import { iamMigrations } from '../migrations/index.js';
import { iamEntities } from '../src/iam.entities.js';
import type { Environment } from './environment.js';

/** TypeORM's own would write to standard output, where the result goes. */
const silent: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

const CONNECT_MS = 10_000;

/** What `migrate` may have to know of the host's own DataSource. */
interface MigrationSettings {
  readonly migrationsTableName?: string;
  readonly schema?: string;
}

/** Runs `work` on connections of its own to the host's PostgreSQL, and closes them. */
export async function withDatabase<T>(
  environment: Environment,
  work: (dataSource: DataSource) => Promise<T>,
  settings: MigrationSettings = {},
): Promise<T> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: environment.databaseUrl,
    entities: iamEntities,
    migrations: [...iamMigrations],
    installExtensions: false,
    applicationName: 'nestjs-wechat-iam',
    connectTimeoutMS: CONNECT_MS,
    logger: silent,
    ...settings,
  });
  await dataSource.initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
