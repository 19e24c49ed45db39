import type { DataSource } from 'typeorm';

/** The connection pool of `pg` behind a DataSource. */
export interface PoolState {
  readonly size: number;
  readonly idle: number;
  /** Who waits for a connection. */
  readonly waiting: number;
}

/** Null where the host gave TypeORM something else than a pool of `pg`. */
export function readPoolState({ driver }: DataSource): PoolState | null {
  const pool: unknown = 'master' in driver ? driver.master : undefined;
  if (typeof pool !== 'object' || pool === null) return null;
  const [size, idle, waiting] = ['totalCount', 'idleCount', 'waitingCount'].map((name): unknown =>
    Reflect.get(pool, name),
  );
  if (typeof size !== 'number' || typeof idle !== 'number' || typeof waiting !== 'number') return null;
  return { size, idle, waiting };
}
