import { setTimeout as delay } from 'node:timers/promises';

/** Waits for something that happens by itself; as patient as the limit of a test lets it be, whatever else the machine does. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  milliseconds = 50_000,
): Promise<void> {
  const endsAt = Date.now() + milliseconds;
  while (!(await isSo())) {
    if (Date.now() > endsAt) throw new Error(`never happened: ${what}`);
    await delay(25);
  }
}
