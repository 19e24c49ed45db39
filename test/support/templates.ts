import { DataSource } from 'typeorm';
import { iamMigrations } from '../../migrations/index.js';
import { runOwnMigrations } from '../../src/database/iam-migrations.js';
import type { DatabaseTemplate } from './database.js';

/** Part of a template's key: a changed migration makes another template. */
export const migrationSource = iamMigrations.join('\n');

/** A host's database with every migration of ours run. */
export const migrated: DatabaseTemplate = {
  key: `host\n${migrationSource}`,
  prepare: async (url) => {
    const source = new DataSource({ type: 'postgres', url, migrations: [...iamMigrations] });
    await source.initialize();
    await source.runMigrations().finally(() => source.destroy());
  },
};

/** The same for a module that makes its own connections, which keeps its migrations elsewhere. */
export const ownMigrated: DatabaseTemplate = {
  key: `own\n${migrationSource}`,
  prepare: async (url) => {
    const source = new DataSource({ type: 'postgres', url, migrations: [...iamMigrations] });
    await source.initialize();
    await runOwnMigrations(source, 'public.migrations').finally(() => source.destroy());
  },
};
