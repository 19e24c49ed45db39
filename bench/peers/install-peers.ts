import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openFolder, type Resources } from '../resources.js';

const sources = fileURLToPath(new URL('../../../bench/peers', import.meta.url));

/** What `npm run` puts into the environment about this repository must not reach the npm of another project. */
const foreign = /^npm_(package|lifecycle|command|config_local_prefix|execpath|node_execpath)|^INIT_CWD$/;

/**
 * Installs the peers in the versions of their lock file, in a temporary folder where they find nothing of ours.
 * @returns the folder
 */
export async function installPeers(resources: Resources): Promise<string> {
  const folder = await openFolder(resources, 'peers');
  await cp(sources, folder, { recursive: true });
  const flags = ['--prefer-offline', '--ignore-scripts', '--loglevel=error'];
  const child = await resources.open(
    async () =>
      spawn('npm', ['ci', ...flags], {
        cwd: folder,
        env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))),
        stdio: ['ignore', 'ignore', 'inherit'],
        shell: process.platform === 'win32',
      }),
    async (spawned) => void spawned.kill(),
  );
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`npm ci of the peers ended with ${child.exitCode ?? 'a signal'}`);
  return folder;
}
