import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startWatchdog } from '../../example/postgres/watchdog.js';
import type { Resources } from '../resources.js';

const sources = fileURLToPath(new URL('../../../bench/peers', import.meta.url));

/** What `npm run` puts into the environment about this repository must not reach the npm of another project. */
const foreign = /^npm_(package|lifecycle|command|config_local_prefix|execpath|node_execpath)|^INIT_CWD$/;

/**
 * Installs the peers in the versions of their lock file, in a temporary folder where they find nothing of ours.
 * @returns the folder
 */
export async function installPeers(resources: Resources): Promise<string> {
  const folder = await resources.open(openFolder, (opened) => opened.close());
  await cp(sources, folder.path, { recursive: true });
  const flags = ['--prefer-offline', '--ignore-scripts', '--loglevel=error'];
  const child = await resources.open(
    async () =>
      spawn('npm', ['ci', ...flags], {
        cwd: folder.path,
        env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
        stdio: ['ignore', 'ignore', 'inherit'],
        shell: process.platform === 'win32',
      }),
    async (spawned) => void spawned.kill(),
  );
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`npm ci of the peers ended with ${child.exitCode ?? 'a signal'}`);
  return folder.path;
}

async function openFolder() {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'nestjs-wechat-iam-peers-')));
  const watchdog = startWatchdog(0, path);
  const close = async () => {
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    watchdog.dismiss();
  };
  return { path, close };
}
