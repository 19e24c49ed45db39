import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource, EntityManager } from 'typeorm';
import { isTransient } from './database-errors.js';

const ATTEMPTS = 4;

/** Runs `work` in one transaction; the whole of it again (at most three times, with jitter) after a deadlock or serialization failure. */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dataSource.transaction(work);
    } catch (error) {
      if (!isTransient(error) || attempt === ATTEMPTS) throw error;
      await delay(Math.random() * 20 * attempt);
    }
  }
}
