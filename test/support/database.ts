import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';

/** A database that belongs to one test file. */
export interface TestDatabase {
  readonly url: string;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** How a prepared database is made once per server and copied for every test file: much faster than migrating each. */
export interface DatabaseTemplate {
  /** Part of the template's name: the same key means the same content. */
  readonly key: string;
  /** Fills the empty template; must close all its connections. */
  prepare(url: string): Promise<void>;
}

const adminUrl = (): string => {
  const url = process.env['IAM_TEST_POSTGRES_URL'];
  if (url === undefined)
    throw new Error(
      'IAM_TEST_POSTGRES_URL is not set: run the tests through Jest, whose global setup starts PostgreSQL.',
    );
  return url;
};

const urlOf = (database: string): string => {
  const url = new URL(adminUrl());
  url.pathname = `/${database}`;
  return url.href;
};

const pools = new Map<string, pg.Pool>();

/** One connection of each worker to a server, which does one thing after the other. */
function adminPool(): pg.Pool {
  const connectionString = adminUrl();
  const known = pools.get(connectionString);
  if (known !== undefined) return known;
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: true });
  // The server ends before the worker does.
  pool.on('error', () => undefined);
  pools.set(connectionString, pool);
  return pool;
}

async function asAdmin<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await adminPool().connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}

const exists = async (client: pg.PoolClient, database: string): Promise<boolean> => {
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
  return rowCount === 1;
};

/** In memory, files are copied in half of the time that PostgreSQL's log takes; on a disk it is the other way round. */
const strategy = process.env['TEST_DATABASE_URL'] === undefined ? ' STRATEGY FILE_COPY' : '';

/** Workers take turns at an advisory lock, so that one of them prepares and the others find the template ready. */
async function ensureTemplate(client: pg.PoolClient, template: DatabaseTemplate): Promise<string> {
  const name = `iam_template_${createHash('sha256').update(template.key).digest('hex').slice(0, 16)}`;
  await client.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
  try {
    if (await exists(client, name)) return name;
    const draft = `${name}_draft`;
    await client.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${draft} TEMPLATE template0${strategy}`);
    await template.prepare(urlOf(draft));
    await client.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    return name;
  } finally {
    await client.query('SELECT pg_advisory_unlock(hashtext($1))', [name]);
  }
}

/** Makes a fresh database with a name of its own, empty or as a copy of the template. */
export async function createDatabase(template?: DatabaseTemplate): Promise<TestDatabase> {
  const name = `iam_test_${randomBytes(8).toString('hex')}`;
  await asAdmin(async (client) => {
    const source = template ? await ensureTemplate(client, template) : 'template0';
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${source}${strategy}`);
  });
  const drop = (): Promise<void> =>
    asAdmin(async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    });
  return { url: urlOf(name), drop };
}
