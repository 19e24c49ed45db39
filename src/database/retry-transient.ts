import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from './database-errors.js';

const ATTEMPTS = 4;

/** Runs `work` again, at most three times and with jitter, after a deadlock or serialization failure; it must be a whole transaction. */
export async function retryTransient<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || attempt === ATTEMPTS) throw error;
      await delay(Math.random() * 20 * attempt);
    }
  }
}
