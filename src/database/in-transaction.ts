import type { DataSource, EntityManager } from 'typeorm';
import { retryTransient } from './retry-transient.js';

/** Runs `work` in one transaction; the whole of it again when it lost a race that a fresh transaction may win. */
export async function inTransaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryTransient(() => dataSource.transaction(work));
}
