import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const here = join(import.meta.dirname, '..');
const minute = 60_000;

/** Copies a language's scripts out of the repository, so that nothing but their own packages is found. */
async function copySources(workspace, name) {
  const folder = join(workspace.folder, name);
  await cp(join(here, name), folder, { recursive: true });
  return folder;
}

/** Node.js: a preload leads connections to the emulator, whatever its port. */
export const node = {
  ownPort: true,
  clients: [
    'passport-wechat',
    'co-wechat-oauth',
    'co-wechat-api',
    'co-wechat',
    'better-auth',
    'auth-core',
    'logto-connector-wechat-web',
  ],
  findLack: async () => undefined,
  async install({ workspace, certificateAuthority, address }) {
    const folder = await copySources(workspace, 'node');
    const flags = ['--prefer-offline', '--ignore-scripts', '--loglevel=error'];
    await workspace.run('npm', ['ci', ...flags], { cwd: folder });
    const redirect = pathToFileURL(join(folder, 'redirect.mjs')).href;
    const trust = { NODE_EXTRA_CA_CERTS: certificateAuthority, EMULATOR: address };
    return node.clients.map((name) => ({
      name,
      run: (env) =>
        workspace.run(process.execPath, ['--import', redirect, `${name}.mjs`], {
          cwd: folder,
          env: { ...trust, ...env },
          timeout: minute,
        }),
    }));
  },
};
