import { AsyncLocalStorage } from 'node:async_hooks';

/** For work that no request waits for, or that a person expects to take its time: five minutes. */
const LONG_JOB_MS = 300_000;

const longJobs = new AsyncLocalStorage<number>();

/** Runs `work`, each of whose statements may take five minutes instead of `databaseTimeout`. */
export function inLongJob<T>(work: () => T): T {
  return longJobs.run(LONG_JOB_MS, work);
}

/** How long the statement that starts now may take, in milliseconds: `usual`, but for a long job. */
export function patience(usual: number): number {
  return longJobs.getStore() ?? usual;
}

/** Whether `work` ends, well or badly, within `ms` milliseconds. It goes on either way. */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const ended = () => true;
  try {
    return await Promise.race([work.then(ended, ended), late]);
  } finally {
    clearTimeout(timer);
  }
}
