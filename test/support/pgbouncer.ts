import { spawn, spawnSync } from 'node:child_process';
import { chown, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { findPostgresUser, runAs } from '../../example/postgres/postgres-user.js';
import { endChildWithTests } from './end-with-tests.js';
import { freePort } from './free-port.js';

const program = process.env['PGBOUNCER_PATH'] ?? 'pgbouncer';

/** Debian's place for it is not on everybody's PATH. */
const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };

/** The version of the PgBouncer on this machine, as a number such as 1.21; null where there is none. */
function findVersion(): number | null {
  const { stdout, error } = spawnSync(program, ['--version'], { env: environment, encoding: 'utf8' });
  const version = error === undefined ? /PgBouncer (\d+\.\d+)/.exec(stdout)?.[1] : undefined;
  return version === undefined ? null : Number(version);
}

const version = findVersion();

/** Whether tests can use PgBouncer here, and one that knows prepared statements. */
export const pgBouncer = { isThere: version !== null, isPreparing: version !== null && version >= 1.21 };

/** Starts PgBouncer in transaction mode before a database and returns the URL to it; it ends with the test file. */
export async function startPgBouncer(databaseUrl: string, maxPreparedStatements: number): Promise<string> {
  const server = new URL(databaseUrl);
  const user = findPostgresUser();
  const folder = await mkdtemp('/tmp/nestjs-wechat-iam-pgbouncer-');
  const port = await freePort();
  const settings = join(folder, 'pgbouncer.ini');
  await writeFile(
    settings,
    `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
${pgBouncer.isPreparing ? `max_prepared_statements = ${maxPreparedStatements}` : ''}
`,
  );
  if (user !== undefined) for (const path of [folder, settings]) await chown(path, user.uid, user.gid);
  const child = spawn(program, ['-q', settings], { ...runAs(user), env: environment, stdio: 'ignore' });
  void endChildWithTests(child, folder);
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${port}`;
  await untilItAccepts(url.href);
  return url.href;
}

async function untilItAccepts(url: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await delay(50);
    }
  }
}
