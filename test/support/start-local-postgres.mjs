import { statfs } from 'node:fs/promises';
import { register } from 'node:module';

/** Copying a database takes PostgreSQL 20 times as long on a disk. */
const memory = '/dev/shm';
const ENOUGH_BYTES = 2 ** 31;

const hasRoom = () =>
  statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize >= ENOUGH_BYTES,
    () => false,
  );

/** Loads the TypeScript source outside Jest's transforms, where global setup lives, and starts the server. */
export async function startLocalPostgres() {
  register('./typescript-hooks.mjs', import.meta.url);
  const { LocalPostgres } = await import('../../example/postgres/local-postgres.ts');
  return LocalPostgres.start({ tempDir: (await hasRoom()) ? memory : undefined });
}
