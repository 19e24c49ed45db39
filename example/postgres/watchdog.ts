import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Plain JavaScript for a child of its own, which outlives us: when our end of its standard input closes without a word,
 * we were killed; it then ends the process that it guards and removes the temporary folder.
 */
const script = `
const { readFileSync, rmSync } = require('node:fs');
const [guarded, temporaryFolder] = process.argv.slice(1);
const isNumber = /^-?\\d+$/.test(guarded);
const pid = () => {
  if (isNumber) return Number(guarded);
  try { return Number(readFileSync(guarded, 'utf8').split('\\n')[0]); } catch { return 0; }
};
const signal = (name) => {
  const target = pid();
  try { return target !== 0 && process.kill(target, name); } catch { return false; }
};
const signals = { 0: 'SIGINT', 80: isNumber ? 'SIGKILL' : 'SIGQUIT' };
const sweep = (attempt) => {
  if (attempt < 100 && signal(signals[attempt] ?? 0)) return setTimeout(sweep, 100, attempt + 1);
  if (temporaryFolder) rmSync(temporaryFolder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
};
process.stdin.on('data', () => process.exit(0));
process.stdin.on('end', () => sweep(0));
`;

/** Guards one process against our own violent death. */
export interface Watchdog {
  /** To be called when the process has ended and the folder is removed. */
  dismiss(): void;
}

/**
 * Starts the guard of a process, which is named by its id, by the negative id of its group, or by the file that a PostgreSQL
 * server writes its id to. Detached, so that Ctrl-C in a terminal does not reach it.
 */
export function startWatchdog(guarded: number | string, temporaryFolder: string): Watchdog {
  const child = spawn(process.execPath, ['-e', script, '--', String(guarded), temporaryFolder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
  });
  child.unref();
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  if (child.stdin instanceof Socket) child.stdin.unref();
  return { dismiss: () => child.stdin.end('done') };
}
