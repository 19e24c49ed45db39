import { EntityManager, type DataSource, type QueryRunner } from 'typeorm';
import { isReadOnly, sqlState } from './database-errors.js';
import type { PreparedStatements } from './prepared-statements.js';
import { EventEmitter } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { currentMarks, runMarked } from '../runtime/request-context.js';
import { isRecord } from '../errors/unknown.js';

/** How long PostgreSQL may take to confirm that it has cancelled a statement. */
const CANCELLED_WITHIN_MS = 1_000;

/** A statement waited too long for PostgreSQL or for the pool. `code` is that of a socket that timed out. */
class DatabaseTimeout extends Error {
  readonly code = 'ETIMEDOUT';
}

/**
 * The host's DataSource for the module's own statements: none waits longer than `timeoutMs` for a connection, or for
 * PostgreSQL (a lock, a slow disk, lost packets), and frequent ones are prepared. Statements of the host are unaffected.
 */
export function boundDataSource(
  host: DataSource,
  timeoutMs: number,
  prepared: PreparedStatements,
): DataSource {
  keepProcessOfLostConnections(host);
  const createQueryRunner = (mode?: 'master' | 'slave') => {
    const runner = boundRunner(host.createQueryRunner(mode), timeoutMs, prepared);
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

/**
 * `pg` reads on in the turn in which it hands over a new connection. Where the server's end stands in the same packet, its error
 * would have no listener yet, and an error event without one ends the process.
 */
function keepProcessOfLostConnections({ driver }: DataSource): void {
  const pool: unknown = 'master' in driver ? driver.master : undefined;
  if (!(pool instanceof EventEmitter)) return;
  pool.on('connect', (client: unknown) => {
    if (client instanceof EventEmitter) client.on('error', () => undefined);
  });
}

/**
 * Wraps `query`, through which TypeORM runs every statement of a connection, including BEGIN and COMMIT, and `connect`, from
 * which that takes the client.
 */
function boundRunner(runner: QueryRunner, timeoutMs: number, prepared: PreparedStatements): QueryRunner {
  const query = runner.query.bind(runner);
  const connect: () => Promise<unknown> = runner.connect.bind(runner);
  let hasGivenUp = false;
  const bounded = async (...statement: Parameters<typeof query>): Promise<unknown> => {
    if (hasGivenUp) throw new DatabaseTimeout('the connection has been given up');
    const ms = statementTimeout(timeoutMs);
    const connecting = connect();
    const connection = await within(connecting, ms);
    if (connection === late) {
      hasGivenUp = true;
      releaseLater(runner, connecting);
      throw new DatabaseTimeout(`no connection of the pool was free within ${ms} ms`);
    }
    const running: Promise<unknown> = query(...statement);
    try {
      const result = await within(running, ms);
      if (result !== late) {
        if (prepared.isOutdated(connection) && !runner.isTransactionActive) discardConnection(connection);
        return result;
      }
    } catch (error) {
      // It would stay in the pool after a failover and fail every later request.
      if (isReadOnly(error)) discardConnection(connection);
      prepared.note(error, connection);
      throw error;
    }
    cancelStatement(connection);
    if ((await within(wasCancelled(running), CANCELLED_WITHIN_MS)) === true) return running;
    hasGivenUp = true;
    discardConnection(connection);
    throw new DatabaseTimeout(`PostgreSQL did not answer within ${ms} ms`);
  };
  return Object.assign(runner, { query: bounded, connect: async () => prepared.naming(await connect()) });
}

/** A runner released before it has its connection would never return that to the pool. */
function releaseLater(runner: QueryRunner, connecting: Promise<unknown>): void {
  const release = () => Object.assign(runner, { isReleased: false }).release();
  connecting.then(release, () => undefined);
}

/** False: the cancel came too late and may hit the next statement of the connection, perhaps the host's. */
async function wasCancelled(running: Promise<unknown>): Promise<boolean> {
  return running.then(
    () => false,
    (error: unknown) => sqlState(error) === '57014',
  );
}

/** The timeout of statements in background work and in commands that an operator expects to take long. */
const LONG_JOB_MS = 300_000;

/** Runs `work` with a timeout of five minutes for each statement instead of `databaseTimeout`. */
export function inLongJob<T>(work: () => T): T {
  return runMarked({ isLongJob: true }, work);
}

/** The timeout of a statement that starts now, in milliseconds: `usual` outside long jobs. */
function statementTimeout(usual: number): number {
  return currentMarks().isLongJob === true ? LONG_JOB_MS : usual;
}

const late = Symbol('late');

/** What becomes of `work`, or `late` after `ms` milliseconds; it continues then. Runs twice a statement: `Promise.race` would make six promises. */
function within<T>(work: Promise<T>, ms: number): Promise<T | typeof late> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, late);
    const end = (outcome: T | Promise<T>) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    work.then(end, () => end(work));
  });
}

/** CancelRequest of PostgreSQL's wire protocol: 1234 and 5678 in place of a protocol version. */
const CANCEL_CODE = 80_877_102;
const CANCEL_MS = 1_000;

/** Closes a connection of `pg` at once. Its pool replaces it. */
function discardConnection(connection: unknown): void {
  if (!isRecord(connection)) return;
  if (typeof connection['end'] === 'function')
    Reflect.apply(connection['end'], connection, [() => undefined]);
  streamOf(connection)?.destroy();
}

/**
 * Sends PostgreSQL, or the pooler in front of it, a request to cancel the connection's statement: otherwise the backend
 * would keep waiting for a lock and run the statement after its caller got an error. Best effort; ignores failures.
 */
function cancelStatement(connection: unknown): void {
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

/** The server of this connection: the host name may resolve to another one by now. */
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
