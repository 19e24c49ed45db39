import { spawn, type ChildProcess } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.js';
import { preparePostgresBinaries } from './postgres-binaries.js';
import { cleanEnvironment, openCluster, type PostgresCluster } from './postgres-cluster.js';
import { canEnter, findPostgresUser, runAs } from './postgres-user.js';
import { startWatchdog, type Watchdog } from './watchdog.js';

/** Where a local PostgreSQL keeps its files and listens. */
export interface LocalPostgresOptions {
  /** Kept and used again at the next start. Without it the files are temporary. */
  readonly dataDir?: string | undefined;
  /**
   * Where temporary files are.
   * @default the system's folder for them
   */
  readonly tempDir?: string | undefined;
  /**
   * Whether a commit waits for the disk.
   * @default where `dataDir` is given
   */
  readonly isDurable?: boolean | undefined;
  /** @default a free port */
  readonly port?: number | undefined;
  /** @default 200 */
  readonly maxConnections?: number | undefined;
  /** More of PostgreSQL's settings, each as `name=value`. */
  readonly settings?: readonly string[] | undefined;
}

/** Long enough for the recovery after a crash. */
const START_TIMEOUT_MS = 60_000;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const exited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function waitForExit(child: ChildProcess, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (!exited(child) && Date.now() < end) await pause(10);
  return exited(child);
}

/** A real PostgreSQL server of our own on 127.0.0.1, from npm's binaries. It lives until `stop()`, or as long as this process. */
export class LocalPostgres {
  private constructor(
    private readonly server: ChildProcess,
    private readonly port: number,
    private readonly password: string,
    private readonly scratch: string,
    private readonly watchdog: Watchdog,
  ) {}

  /** Starts a server. Works as root too, where PostgreSQL itself runs as an unprivileged user. */
  static async start(options: LocalPostgresOptions = {}): Promise<LocalPostgres> {
    const user = findPostgresUser();
    const temporaryFiles = options.tempDir ?? tmpdir();
    const scratch = await mkdtemp(
      join(canEnter(temporaryFiles, user) ? temporaryFiles : '/tmp', 'nestjs-wechat-iam-'),
    );
    const parent = options.dataDir === undefined ? scratch : resolve(options.dataDir);
    const watchdog = startWatchdog(join(parent, 'postgres', 'postmaster.pid'), scratch);
    try {
      if (user) await chown(scratch, user.uid, user.gid);
      await mkdir(parent, { recursive: true });
      const temporary = parent === scratch;
      const binaries = await preparePostgresBinaries(user, scratch);
      const cluster = await openCluster({ parent, scratch, binaries, user, temporary });
      const { server, port } = await launchWithPatience(binaries.postgres, cluster, options);
      return new LocalPostgres(server, port, cluster.password, scratch, watchdog);
    } catch (cause) {
      await rm(scratch, { recursive: true, force: true });
      watchdog.dismiss();
      throw cause;
    }
  }

  /** The connection URL of one of the server's databases. */
  url(database = 'postgres'): string {
    return `postgresql://postgres:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  get pid(): number | undefined {
    return this.server.pid;
  }

  /** Ends all connections, waits until the server is down and removes what is temporary. */
  stop(): Promise<void> {
    return this.end(['SIGINT', 'SIGQUIT', 'SIGKILL']);
  }

  /** Ends the server as a crash does; the next start on the same `dataDir` recovers. */
  crash(): Promise<void> {
    return this.end(['SIGKILL']);
  }

  private async end(signals: readonly NodeJS.Signals[]): Promise<void> {
    for (const signal of signals) {
      if (!exited(this.server)) this.server.kill(signal);
      if (await waitForExit(this.server, 10_000)) break;
    }
    await rm(this.scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    this.watchdog.dismiss();
  }
}

const careless = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/** Resolves when the server accepts connections; fails with its own last words. */
function launch(
  program: string,
  cluster: PostgresCluster,
  port: number,
  settings: readonly string[],
): Promise<ChildProcess> {
  const all = ['unix_socket_directories=', 'listen_addresses=127.0.0.1', 'log_min_messages=log', ...settings];
  const server = spawn(
    program,
    ['-D', cluster.dataPath, '-p', String(port), ...all.flatMap((setting) => ['-c', setting])],
    {
      ...runAs(cluster.user),
      cwd: cluster.folder,
      env: cleanEnvironment(),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  return new Promise((done, fail) => {
    let words = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4096);
      if (!text.includes('ready to accept connections')) return;
      clearTimeout(deadline);
      server.unref();
      if (server.stderr instanceof Socket) server.stderr.unref();
      done(server);
    });
    const deadline = setTimeout(() => server.kill('SIGKILL'), START_TIMEOUT_MS);
    server.on('error', fail);
    server.on('close', () => {
      clearTimeout(deadline);
      fail(new Error(words.trim()));
    });
  });
}

/** Tries another port when the free one was taken meanwhile, and waits while the previous server on the same folder is still going down. */
async function launchWithPatience(
  program: string,
  cluster: PostgresCluster,
  options: LocalPostgresOptions,
): Promise<{ server: ChildProcess; port: number }> {
  const { isDurable = options.dataDir !== undefined, maxConnections = 200 } = options;
  const settings = [
    `max_connections=${maxConnections}`,
    ...(isDurable ? [] : careless),
    ...(options.settings ?? []),
  ];
  const end = Date.now() + 15_000;
  for (;;) {
    const port = options.port ?? (await freePort());
    try {
      return { port, server: await launch(program, cluster, port, settings) };
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      const temporaryTrouble =
        /postmaster\.pid|shared memory block/.test(words) ||
        (options.port === undefined && words.includes('could not bind'));
      if (!temporaryTrouble || Date.now() > end) {
        throw new Error(`PostgreSQL did not start on ${cluster.folder}: ${words}`, { cause });
      }
      await pause(200);
    }
  }
}
