import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { findPostgresUser, runAs } from '../../example/postgres/postgres-user.js';
import { startWatchdog } from '../../example/postgres/watchdog.js';
import type { Resources } from '../resources.js';

/** PgBouncer of this run, in transaction mode. */
export interface PgBouncer {
  readonly url: string;
  readonly pid: number | undefined;
  readonly version: string;
  /** From 1.21 on, it knows the named statements of its clients. */
  readonly isPreparing: boolean;
}

/** Debian's place for it is not on everybody's PATH. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };

/** Starts it before a database; null where it is not installed. */
export async function startPgBouncer(resources: Resources, databaseUrl: string): Promise<PgBouncer | null> {
  const { stdout } = spawnSync('pgbouncer', ['--version'], { env, encoding: 'utf8' });
  const [, version] = /PgBouncer ([\d.]+)/.exec(stdout) ?? [];
  if (version === undefined) return null;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isPreparing = major > 1 || minor >= 21;
  const url = new URL(databaseUrl);
  const port = await freePort();
  const settings = settingsOf(url, port, isPreparing);
  const child = await resources.open(
    () => launch(settings),
    ({ stop }) => stop(),
  );
  url.host = `127.0.0.1:${port}`;
  await untilItAccepts(url.href);
  return { url: url.href, pid: child.pid, version, isPreparing };
}

/** By default it waits 15 seconds before it tries a server again that was down. */
function settingsOf({ hostname, port, username, password }: URL, own: number, isPreparing: boolean): string {
  return `[databases]
* = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
server_login_retry = 1
${isPreparing ? 'max_prepared_statements = 200' : ''}
`;
}

/** It refuses to run as root, as PostgreSQL does. */
async function launch(settings: string) {
  const user = findPostgresUser();
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-wechat-iam-pgbouncer-'));
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, settings, { mode: 0o600 });
  if (user !== undefined) for (const path of [folder, file]) await chown(path, user.uid, user.gid);
  const options = { ...runAs(user), env, stdio: 'ignore', detached: true } as const;
  const child = spawn('pgbouncer', ['-q', file], options);
  await once(child, 'spawn');
  const watchdog = startWatchdog(Number(child.pid), folder);
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
    watchdog.dismiss();
  };
  return { pid: child.pid, stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new TypeError('expected a port');
  return address.port;
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
