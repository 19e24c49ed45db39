import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWatchdog } from '../example/postgres/watchdog.js';

/** Thrown where something is opened after everything began to close. */
class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** Servers, processes and folders of a run: closed last first, at the end or when a signal comes in the middle of it. */
export class Resources {
  private readonly opened: (() => Promise<unknown>)[] = [];
  private readonly opening = new Set<Promise<void>>();
  private closing: Promise<void> | undefined;

  /** Opens something and remembers how to close it. */
  async open<T>(start: () => Promise<T>, close: (thing: T) => Promise<unknown>): Promise<T> {
    if (this.closing !== undefined) throw new Interrupted();
    const starting = start();
    const settled = starting.then(
      (thing) => void this.opened.push(() => close(thing)),
      () => undefined,
    );
    this.opening.add(settled);
    await settled;
    this.opening.delete(settled);
    return starting;
  }

  /** Resources that can be closed before the rest. */
  branch(): Promise<Resources> {
    return this.open(
      () => Promise.resolve(new Resources()),
      (branch) => branch.close(),
    );
  }

  /** Closes what was opened, and what is just being opened, once. One failure does not keep the rest open. */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    await Promise.all(this.opening);
    for (let close = this.opened.pop(); close !== undefined; close = this.opened.pop()) {
      await close().catch((error: unknown) => console.error(error));
    }
  }
}

/** A temporary folder of a run; it is also removed when the process is killed. */
export async function openFolder(resources: Resources, name: string): Promise<string> {
  const { path } = await resources.open(
    async () => {
      const made = await realpath(await mkdtemp(join(tmpdir(), `nestjs-wechat-iam-${name}-`)));
      return { path: made, watchdog: startWatchdog(0, made) };
    },
    async ({ path: made, watchdog }) => {
      await rm(made, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
      watchdog.dismiss();
    },
  );
  return path;
}

/** The whole of a program: closes everything at the end or at a signal. The exit code is 1 where the run failed or gave false. */
export async function runProgram(run: (resources: Resources) => Promise<boolean>): Promise<void> {
  const resources = new Resources();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      process.exitCode = 130;
      void resources.close().then(() => process.exit());
    });
  const isKept = await run(resources).catch((error: unknown) => {
    // A run whose servers are closed fails in many ways.
    if (process.exitCode !== 130) console.error(error);
    return false;
  });
  if (!isKept) process.exitCode ??= 1;
  await resources.close();
}
