import { performance } from 'node:perf_hooks';
import type { StartMessage } from './start-message.js';

/** Entry of a process that starts a minimal Nest host, with the module (`with`) or without it, and says what that took. */
const [, , kind, databaseUrl = ''] = process.argv;

const usedMb = () => {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20 };
};

const { createBareApp, moduleImports } = await import('./bare-app.js');
globalThis.gc?.();
const importBegan = performance.now();
const cpuBefore = process.cpuUsage();
const iam = kind === 'with' ? await import('../../src/index.js') : undefined;
const importMs = performance.now() - importBegan;
const { user, system } = process.cpuUsage(cpuBefore);
const imported = usedMb();

const startBegan = performance.now();
const app = await createBareApp(databaseUrl, iam === undefined ? [] : moduleImports(iam.IamModule));
await app.listen(0, '127.0.0.1');
const startMs = performance.now() - startBegan;

const message: StartMessage = {
  importMs,
  importCpuMs: (user + system) / 1000,
  startMs,
  processMs: performance.now(),
  importedHeapMb: imported.heap,
  importedRssMb: imported.rss,
  startedRssMb: usedMb().rss,
};
process.send?.(message);
await app.close();
process.disconnect();
