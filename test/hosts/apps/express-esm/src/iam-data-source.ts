import { iamEntities, iamMigrations } from 'nestjs-wechat-iam';
import { DataSource } from 'typeorm';

/** For TypeORM's command line: `typeorm migration:run -d dist/iam-data-source.js`. */
export const iamDataSource = new DataSource({
  type: 'postgres',
  url: process.env['DATABASE_URL'] ?? '',
  entities: iamEntities,
  migrations: iamMigrations,
});
