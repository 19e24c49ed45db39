import { performance } from 'node:perf_hooks';
import type { StartMessage } from './start-message.js';

/** Entry of a process that starts a minimal Nest host, with the module (`with`) or without it, and says what that took. */
const [, , kind, databaseUrl = ''] = process.argv;

const rssMb = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 2 ** 20;
};

const { createBareApp, moduleImports } = await import('./bare-app.js');
const importBegan = performance.now();
const iam = kind === 'with' ? await import('../../src/index.js') : undefined;
const importMs = performance.now() - importBegan;
const importedRssMb = rssMb();

const startBegan = performance.now();
const app = await createBareApp(databaseUrl, iam === undefined ? [] : moduleImports(iam.IamModule));
await app.listen(0, '127.0.0.1');
const startMs = performance.now() - startBegan;

const message: StartMessage = {
  importMs,
  startMs,
  processMs: performance.now(),
  importedRssMb,
  startedRssMb: rssMb(),
};
process.send?.(message);
await app.close();
process.disconnect();
