import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Plain JavaScript for a child of its own, which outlives us: when our end of its standard input closes without a word,
 * we were killed; it then stops the server named in postmaster.pid and removes the temporary folder.
 */
const script = `
const { readFileSync, rmSync } = require('node:fs');
const [dataFolder, temporaryFolder] = process.argv.slice(1);
const serverPid = () => {
  try { return Number(readFileSync(dataFolder + '/postmaster.pid', 'utf8').split('\\n')[0]); } catch { return 0; }
};
const signal = (name) => { const pid = serverPid(); try { if (pid > 0) process.kill(pid, name); } catch {} return pid > 0; };
const sweep = (attempt) => {
  if (attempt < 100 && signal(attempt === 0 ? 'SIGINT' : attempt === 80 ? 'SIGQUIT' : 0)) return setTimeout(sweep, 100, attempt + 1);
  if (temporaryFolder) rmSync(temporaryFolder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
};
process.stdin.on('data', () => process.exit(0));
process.stdin.on('end', () => sweep(0));
`;

/** Guards one local server against our own violent death. */
export interface Watchdog {
  /** To be called when the server is stopped and its folders are removed. */
  dismiss(): void;
}

/** Starts the guard. Detached, so that Ctrl-C in a terminal does not reach it. */
export function startWatchdog(dataFolder: string, temporaryFolder: string): Watchdog {
  const child = spawn(process.execPath, ['-e', script, dataFolder, temporaryFolder], {
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
