import type { EmulatorClock } from '../clock.js';

const beijing = 8 * 3_600_000;
/** How much of an ISO date names the period. */
const dateLength = { day: 10, month: 7, ever: 0 };
type Period = keyof typeof dateLength;

/** How often an app has called what, per day or month of Beijing or ever. */
export class Quotas {
  readonly #used = new Map<string, number>();

  constructor(private readonly clock: EmulatorClock) {}

  /** Counts one use unless that would exceed the limit; says whether it was within. */
  use(appid: string, what: string, limit: number, period: Period = 'day'): boolean {
    const key = this.#key(appid, what, period);
    const used = this.#used.get(key) ?? 0;
    if (used >= limit) return false;
    this.#used.set(key, used + 1);
    return true;
  }

  /** Forgets today's uses of an app. */
  clear(appid: string): void {
    for (const key of this.#used.keys()) {
      if (key.startsWith(`day ${appid} `)) this.#used.delete(key);
    }
  }

  #key(appid: string, what: string, period: Period): string {
    const date = new Date(this.clock.now() + beijing).toISOString().slice(0, dateLength[period]);
    return `${period} ${appid} ${what} ${date}`;
  }
}
