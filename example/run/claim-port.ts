import { createServer } from 'node:net';
import { freePort } from '../postgres/free-port.js';
import { StartUpError } from './start-up.error.js';

/** Makes sure that the port can be had, before anything is started, and turns 0 into a free one. */
export async function claimPort(variable: string, port: number): Promise<number> {
  if (port === 0) return freePort();
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(port, '127.0.0.1', resolve),
    );
  } catch (cause) {
    throw portError(variable, port, cause);
  }
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Says which variable to change when a port cannot be listened on; any other failure stays as it is. */
export function portError(variable: string, port: number, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    return new StartUpError(`Port ${port} is in use: stop what listens there or set ${variable}.`, { cause });
  }
  if (code === 'EACCES') {
    return new StartUpError(`Port ${port} is not allowed to this user: set ${variable}.`, { cause });
  }
  return cause;
}
