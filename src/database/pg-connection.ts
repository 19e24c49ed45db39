import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { isRecord } from '../runtime/is-record.js';

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
