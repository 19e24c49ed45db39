import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import type { PostgresBinaries } from './postgres-binaries.js';
import { canEnter, findBarrier, runAs, type PostgresUser } from './postgres-user.js';

/** A folder with PostgreSQL's files, and who may use it. */
export interface PostgresCluster {
  /** Where the files are, as this process sees it. */
  readonly folder: string;
  /** The same folder as PostgreSQL is told: it is started with `folder` as its working directory. */
  readonly dataPath: string;
  readonly user: PostgresUser | undefined;
  readonly password: string;
}

/** How a cluster is made and found again. */
export interface ClusterOptions {
  /** The folder that holds the cluster's own folder and its password. */
  readonly parent: string;
  /** A folder that the user can enter and that the caller removes. */
  readonly scratch: string;
  readonly binaries: PostgresBinaries;
  readonly user: PostgresUser | undefined;
  /** A cluster that will be thrown away is not worth waiting for the disk. */
  readonly temporary: boolean;
}

/** What PostgreSQL's programs need of our environment; PGDATA, PGPORT and their like must not reach them. */
export const cleanEnvironment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|LD_|DYLD_)/.test(name)),
  ),
  LC_ALL: 'C',
  TZ: 'UTC',
});

/**
 * The path under which the user reaches the folder. A folder below a closed one (/root) is still open to a process that
 * already stands in it, which on Linux has a name of its own.
 */
function reachablePath(folder: string, user: PostgresUser | undefined): string {
  if (canEnter(folder, user)) return folder;
  if (platform() === 'linux') return '/proc/self/cwd';
  const barrier = findBarrier(folder, user);
  throw new Error(
    `PostgreSQL cannot use ${folder}: this process is root, so PostgreSQL runs as user "${user?.name ?? ''}", who cannot enter ${barrier}. ` +
      'Choose another DATA_DIR or start as an ordinary user.',
  );
}

async function initialise(target: string, password: string, options: ClusterOptions): Promise<void> {
  const { binaries, user, scratch, temporary } = options;
  const draft = `${target}.new`;
  const passwordFile = join(scratch, 'initial-password');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) await Promise.all([draft, passwordFile].map((path) => chown(path, user.uid, user.gid)));
  const flags = ['--auth=scram-sha-256', '--username=postgres', '--encoding=UTF8', '--locale=C'];
  const child = spawn(
    binaries.initdb,
    [
      ...flags,
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      `--pwfile=${passwordFile}`,
      `--pgdata=${reachablePath(draft, user)}`,
      // A random password needs no stretching, which each connection would pay.
      ...(temporary ? ['--no-sync', '--set=scram_iterations=1'] : []),
    ],
    {
      ...runAs(user),
      cwd: draft,
      env: cleanEnvironment(),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`PostgreSQL could not create its files in ${target}: ${complaints.trim()}`));
    });
  });
  await rm(passwordFile);
  await rename(draft, target);
}

/** An existing cluster belongs to whoever made it: root can run PostgreSQL as that user, nobody else can. */
async function ownerOf(folder: string, user: PostgresUser | undefined): Promise<PostgresUser | undefined> {
  const { uid, gid } = await stat(folder);
  const ours = process.getuid?.();
  if (user) return { name: String(uid), uid, gid };
  if (ours !== undefined && uid !== ours) {
    throw new Error(`${folder} belongs to another user (uid ${uid}): start as that user or as root.`);
  }
  return undefined;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Opens the cluster below `parent`, or makes it. A start that was interrupted leaves nothing that looks like a cluster. */
export async function openCluster(options: ClusterOptions): Promise<PostgresCluster> {
  const folder = join(options.parent, 'postgres');
  const passwordFile = join(options.parent, 'postgres-password');
  if (!(await exists(folder))) {
    const password = randomBytes(18).toString('base64url');
    await writeFile(passwordFile, password, { mode: 0o600 });
    await initialise(folder, password, options);
  }
  const user = await ownerOf(folder, options.user);
  const password = (await readFile(passwordFile, 'utf8')).trim();
  return { folder, dataPath: reachablePath(folder, user), user, password };
}
