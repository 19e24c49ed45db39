import { EntityManager, type DataSource, type QueryRunner } from 'typeorm';
import { isReadOnly, sqlState } from './database-errors.js';
import { AsyncLocalStorage } from 'node:async_hooks';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { isRecord } from '../errors/unknown.js';

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

/** CancelRequest of PostgreSQL's wire protocol: 1234 and 5678, where a version would stand. */
const CANCEL_CODE = 80_877_102;
const CANCEL_MS = 1_000;

/** Ends a connection of `pg` at once. Its pool does not take it back, and replaces it. */
export function discardConnection(connection: unknown): void {
  if (!isRecord(connection)) return;
  if (typeof connection['end'] === 'function')
    Reflect.apply(connection['end'], connection, [() => undefined]);
  streamOf(connection)?.destroy();
}

/**
 * Asks PostgreSQL, or the pooler in front of it, to cancel what the connection runs: otherwise its backend would wait on
 * for a lock, and do its work after the caller has been told that it failed. Best effort; says nothing when it fails.
 */
export function cancelStatement(connection: unknown): void {
  if (!isRecord(connection)) return;
  const { processID, secretKey } = connection;
  const target = addressOf(connection);
  if (typeof processID !== 'number' || typeof secretKey !== 'number' || target === null) return;
  const request = Buffer.alloc(16);
  [request.length, CANCEL_CODE, processID, secretKey].forEach((value, index) =>
    request.writeInt32BE(value, index * 4),
  );
  const socket = connect(target, () => socket.end(request));
  socket.on('error', () => socket.destroy());
  socket.setTimeout(CANCEL_MS, () => socket.destroy());
}

/** Where the connection really leads, also when a name has other addresses by now. */
function addressOf(connection: object): NetConnectOpts | null {
  const { remoteAddress: host, remotePort: port } = streamOf(connection) ?? {};
  if (host !== undefined && port !== undefined) return { host, port };
  if (!('host' in connection) || !('port' in connection)) return null;
  const folder = connection.host;
  if (typeof folder !== 'string' || !folder.startsWith('/')) return null;
  return { path: `${folder}/.s.PGSQL.${String(connection.port)}` };
}

function streamOf(
  connection: object,
): (Partial<Pick<Socket, 'remoteAddress' | 'remotePort'>> & Pick<Socket, 'destroy'>) | null {
  const wire = 'connection' in connection ? connection.connection : undefined;
  return isRecord(wire) && isStream(wire['stream']) ? wire['stream'] : null;
}

function isStream(value: unknown): value is Socket {
  return isRecord(value) && typeof value['destroy'] === 'function';
}
