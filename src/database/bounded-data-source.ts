import { EntityManager, type DataSource, type QueryRunner } from 'typeorm';
import { isReadOnly, sqlState } from './database-errors.js';
import { endsWithin, patience } from './patience.js';
import { cancelStatement, discardConnection } from './pg-connection.js';

/** How long PostgreSQL may take to confirm that it has cancelled a statement. */
const CANCELLED_WITHIN_MS = 1_000;

/** PostgreSQL, or the pool, kept a statement waiting for too long. `code` is that of a socket that timed out. */
export class DatabaseTimeout extends Error {
  readonly code = 'ETIMEDOUT';
}

/**
 * The host's DataSource for the module's own statements: none of them waits longer than `timeoutMs` for a connection, nor
 * for PostgreSQL (a lock, a slow disk, a network that swallows packets). The host's own statements are not touched.
 */
export function boundDataSource(host: DataSource, timeoutMs: number): DataSource {
  const createQueryRunner = (mode?: 'master' | 'slave') => {
    const runner = boundRunner(host.createQueryRunner(mode), timeoutMs);
    return Object.assign(runner, { manager: bounded.createEntityManager(runner) });
  };
  const bounded: DataSource = new Proxy(host, {
    get(target, name, receiver): unknown {
      if (name === 'createQueryRunner') return createQueryRunner;
      return name === 'manager' ? manager : Reflect.get(target, name, receiver);
    },
  });
  const manager = new EntityManager(bounded);
  return bounded;
}

/** Everything that TypeORM runs on a connection, BEGIN and COMMIT included, goes through `query` of its runner. */
function boundRunner(runner: QueryRunner, timeoutMs: number): QueryRunner {
  const query = runner.query.bind(runner);
  let hasGivenUp = false;
  const bounded = async (...statement: Parameters<typeof query>): Promise<unknown> => {
    if (hasGivenUp) throw new DatabaseTimeout('the connection has been given up');
    const ms = patience(timeoutMs);
    const connecting: Promise<unknown> = runner.connect();
    if (!(await endsWithin(connecting, ms))) {
      hasGivenUp = true;
      releaseLater(runner, connecting);
      throw new DatabaseTimeout(`no connection of the pool was free within ${ms} ms`);
    }
    const connection = await connecting;
    const running: Promise<unknown> = query(...statement);
    if (await endsWithin(running, ms)) return running.catch(discardReadOnly(connection));
    cancelStatement(connection);
    if ((await endsWithin(running, CANCELLED_WITHIN_MS)) && (await wasCancelled(running))) return running;
    hasGivenUp = true;
    discardConnection(connection);
    throw new DatabaseTimeout(`PostgreSQL did not answer within ${ms} ms`);
  };
  return Object.assign(runner, { query: bounded });
}

/** A runner that is released before it has its connection never gives that back. */
function releaseLater(runner: QueryRunner, connecting: Promise<unknown>): void {
  const release = () => Object.assign(runner, { isReleased: false }).release();
  connecting.then(release, () => undefined);
}

/** After a failover a pool may hold connections that stay read-only for ever: the next request gets another one. */
function discardReadOnly(connection: unknown): (error: unknown) => never {
  return (error) => {
    if (isReadOnly(error)) discardConnection(connection);
    throw error;
  };
}

/** A cancel that came too late for its statement would hit the next one on the same connection, the host's perhaps. */
async function wasCancelled(running: Promise<unknown>): Promise<boolean> {
  return running.then(
    () => false,
    (error: unknown) => sqlState(error) === '57014',
  );
}
