import { DataSource, type DataSourceOptions } from 'typeorm';

/** Any number that no other program on this database uses. */
const MIGRATION_LOCK = 20_261_101;

/** Opens the connection and runs the migrations. Replicas that start together take turns, which TypeORM alone does not see to. */
export async function migrateInTurn(options: DataSourceOptions): Promise<DataSource> {
  const dataSource = await new DataSource(options).initialize();
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'each' });
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await runner.release();
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
  return dataSource;
}
