import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { LocalPostgres } from '../example/postgres/local-postgres.js';
import type { Belongings } from './belongings.js';

/** A PostgreSQL of this run that waits for its disk at every commit, as one in production does. Gives new databases. */
export async function openDatabaseServer(belongings: Belongings): Promise<(name: string) => Promise<string>> {
  const dataDir = await belongings.open(
    () => mkdtemp(join(tmpdir(), 'nestjs-wechat-iam-bench-')),
    (folder) => rm(folder, { recursive: true, force: true }),
  );
  const server = await belongings.open(
    () => LocalPostgres.start({ dataDir }),
    (started) => started.stop(),
  );
  return async (name) => {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    await client.end();
    return server.url(name);
  };
}
