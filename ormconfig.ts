import { DataSource } from 'typeorm';
import { iamMigrations } from './migrations/index.js';
import { iamEntities } from './src/iam.entities.js';

/** The TypeORM CLI's DataSource: `DATABASE_URL=… npm run migration -- migration:show`. */
export const dataSource = new DataSource({
  type: 'postgres',
  url: process.env['DATABASE_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres',
  entities: iamEntities,
  migrations: [...iamMigrations],
});
