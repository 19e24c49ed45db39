import pg from 'pg';
import { LocalPostgres } from '../example/postgres/local-postgres.js';
import type { Resources } from './resources.js';

/** A PostgreSQL of this run that waits for its disk at every commit, as one in production does. Gives new databases. */
export async function openDatabaseServer(resources: Resources): Promise<(name: string) => Promise<string>> {
  const server = await resources.open(
    () => LocalPostgres.start({ isDurable: true }),
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
