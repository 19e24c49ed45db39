// Packs what `npm publish` would send, and has two linters of packages look at the tarball: `npm run check:package`, after a build.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = await mkdtemp(join(tmpdir(), 'nestjs-wechat-iam-package-'));

function run(command, ...parameters) {
  const { status, error } = spawnSync(command, parameters, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) process.exitCode = 1;
}

try {
  run('npm', 'pack', '--ignore-scripts', '--silent', `--pack-destination=${folder}`);
  const [name] = await readdir(folder);
  run('npx', '--no-install', 'publint', '--strict', join(folder, name));
  // The package is an ES module that every Node of `engines` can require(): docs/decisions/0060.
  run('npx', '--no-install', 'attw', '--ignore-rules=cjs-resolves-to-esm', join(folder, name));
} finally {
  await rm(folder, { recursive: true, force: true });
}
