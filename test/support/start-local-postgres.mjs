import { register } from 'node:module';

/** Loads the TypeScript source outside Jest's transforms, where global setup lives, and starts the server. */
export async function startLocalPostgres() {
  register('./typescript-hooks.mjs', import.meta.url);
  const { LocalPostgres } = await import('../../example/postgres/local-postgres.ts');
  return LocalPostgres.start();
}
