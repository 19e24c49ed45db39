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
    await withClient(server.url(), (client) =>
      client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`),
    );
    return server.url(name);
  };
}

/** Lends a connection of its own, which ends also where its use fails. */
export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return use(client).finally(() => client.end());
}
