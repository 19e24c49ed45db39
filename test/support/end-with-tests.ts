import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { startWatchdog } from '../../example/postgres/watchdog.js';

const PATIENCE_MS = 20_000;

/** Node's arguments for a process that lives for seconds: making its code faster takes a sixth of its CPU time and never pays. */
export const briefly = ['--no-opt'] as const;

const endings: (() => Promise<unknown>)[] = [];

/** Ends what the test file has left; also where its own set-up or clean-up has failed. */
export async function endAll(): Promise<void> {
  await Promise.all(endings.splice(0).map((end) => end()));
}

/** Has something end with the test file, whatever becomes of its set-up; `end` may come after the file has ended it itself. */
export function endWithTests(end: () => Promise<unknown>): void {
  endings.push(end);
}

/**
 * Has a child process end with the test file, and its folder removed; also when the process that runs the tests is killed.
 * Resolves with the exit code, or null after a violent death.
 */
export function endChildWithTests(child: ChildProcess, folder = ''): Promise<number | null> {
  const watchdog = startWatchdog(child.pid ?? 0, folder);
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  void ended.then(() => watchdog.dismiss());
  endWithTests(async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.kill('SIGINT');
    await ended;
    clearTimeout(timer);
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });
  return ended;
}
