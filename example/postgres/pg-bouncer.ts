import { spawn, spawnSync } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.js';
import { canEnter, findPostgresUser, runAs, type PostgresUser } from './postgres-user.js';
import { startWatchdog } from './watchdog.js';

/** The PgBouncer that is installed. */
export interface PgBouncerProgram {
  readonly version: string;
  /** From 1.21 on, it knows the named statements of its clients. */
  readonly isPreparing: boolean;
}

/** A PgBouncer that runs, in transaction mode. */
export interface PgBouncer {
  /** Of the database behind it. */
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** How it is started. */
export interface PgBouncerOptions {
  /** Connections to PostgreSQL at most. */
  readonly poolSize: number;
  /** 0: it does not know prepared statements. Only for one that does. */
  readonly maxPreparedStatements: number;
}

const program = process.env['PGBOUNCER_PATH'] ?? 'pgbouncer';

/** Debian's place for it is not on everybody's PATH. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };

/** Null where it is not installed. */
export function findPgBouncer(): PgBouncerProgram | null {
  const { stdout, error } = spawnSync(program, ['--version'], { env, encoding: 'utf8' });
  const [, version, major, minor] = /PgBouncer ((\d+)\.(\d+)[.\d]*)/.exec(error ? '' : stdout) ?? [];
  if (version === undefined) return null;
  return { version, isPreparing: Number(major) > 1 || Number(minor) >= 21 };
}

/** Starts it before a database. It lives until `stop()`, or as long as this process. */
export async function startPgBouncer(databaseUrl: string, options: PgBouncerOptions): Promise<PgBouncer> {
  const user = findPostgresUser();
  const folder = await mkdtemp(
    join(canEnter(tmpdir(), user) ? tmpdir() : '/tmp', 'nestjs-wechat-iam-pgbouncer-'),
  );
  const url = new URL(databaseUrl);
  const port = await freePort();
  const launched = await launch(folder, settingsOf(url, port, options), user);
  url.host = `127.0.0.1:${port}`;
  try {
    await untilItAccepts(url.href);
  } catch (error) {
    await launched.stop();
    throw error;
  }
  return { url: url.href, ...launched };
}

/** By default it waits 15 seconds before it tries a server again that was down. */
function settingsOf(
  { hostname, port, username, password }: URL,
  own: number,
  { poolSize, maxPreparedStatements }: PgBouncerOptions,
): string {
  const isPreparing = findPgBouncer()?.isPreparing === true;
  return `[databases]
* = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
server_login_retry = 1
${isPreparing ? `max_prepared_statements = ${maxPreparedStatements}` : ''}
`;
}

/** It refuses to run as root, as PostgreSQL does. */
async function launch(folder: string, settings: string, user: PostgresUser | undefined) {
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, settings, { mode: 0o600 });
  if (user) for (const path of [folder, file]) await chown(path, user.uid, user.gid);
  const child = spawn(program, ['-q', file], { ...runAs(user), env, stdio: 'ignore', detached: true });
  const watchdog = startWatchdog(child.pid ?? 0, folder);
  const ended = new Promise<void>((done) => child.once('error', () => done()).once('exit', () => done()));
  const stop = async () => {
    const patience = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.kill('SIGINT');
    await ended;
    clearTimeout(patience);
    await rm(folder, { recursive: true, force: true });
    watchdog.dismiss();
  };
  return { pid: child.pid, stop };
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
