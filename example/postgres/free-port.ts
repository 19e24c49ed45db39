import { createServer } from 'node:net';

/** A port of 127.0.0.1 that nobody listens on now; for programs that must be told their port. Our own servers bind port 0. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new Error('No free port.');
  return address.port;
}
