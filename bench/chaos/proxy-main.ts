import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** Entry of the proxy's process: gives each request to the next replica and tries no other one when that fails. */
const agent = new Agent({ keepAlive: true });
/** A replica that refuses a connection is left out for so long. */
const REST_MS = 1_000;

let targets: readonly URL[] = [];
let turn = 0;
const restsUntil = new Map<URL, number>();

const server = createServer((incoming, outgoing) => {
  const now = performance.now();
  const ready = targets.filter((one) => (restsUntil.get(one) ?? 0) <= now);
  const target = ready[(turn += 1) % ready.length] ?? targets[0];
  if (target !== undefined) forward(target, incoming, outgoing);
});

function forward(target: URL, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming;
  const { hostname, port } = target;
  const passed = request({ agent, hostname, port, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  passed.on('error', (error) => fail(target, outgoing, error));
  outgoing.on('close', () => passed.destroy());
  incoming.pipe(passed);
}

/** The header says what the replica did, which the status of a proxy does not. */
function fail(target: URL, outgoing: ServerResponse, error: Error): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  const isRefused = 'code' in error && error.code === 'ECONNREFUSED';
  if (isRefused) restsUntil.set(target, performance.now() + REST_MS);
  outgoing.writeHead(502, { 'x-replica': isRefused ? 'connection refused' : 'connection cut' }).end();
}

process.on('message', (message: { readonly targets: readonly string[] }) => {
  targets = message.targets.map((target) => new URL(target));
  if (server.listening) return;
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new TypeError('expected a port');
    process.send?.({ kind: 'started', url: `http://127.0.0.1:${address.port}` });
  });
});
process.on('SIGINT', () => undefined);
process.once('disconnect', () => process.exit());
