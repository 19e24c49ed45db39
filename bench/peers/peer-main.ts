import { pathToFileURL } from 'node:url';
import { type RunningHost, serveParent } from '../host/serve-parent.js';
import { countStatements } from '../host/statement-counter.js';

/** How the first message to a peer's process configures it. */
export interface PeerSettings {
  readonly databaseUrl: string;
  readonly appid: string;
  readonly secret: string;
  readonly publicUrl: string;
}

/** A module of `bench/peers/hosts`. */
interface Peer {
  /** The package that it reaches PostgreSQL with. */
  readonly pg: { readonly Client: { readonly prototype: object } };
  start(settings: PeerSettings): Promise<{ readonly port: number; readonly close: () => Promise<unknown> }>;
}

function isPeer(module: unknown): module is Peer {
  return typeof module === 'object' && module !== null && 'pg' in module && 'start' in module;
}

/** Entry of a peer's process: the module that the argument names, which finds its own packages only. */
const [, , file = ''] = process.argv;
const loaded: unknown = await import(pathToFileURL(file).href);
if (!isPeer(loaded)) throw new TypeError(`${file} is no host`);
const peer = loaded;
const counter = countStatements(peer.pg.Client);
process.once('message', (settings: PeerSettings) => serveParent(start(settings), counter));

async function start(settings: PeerSettings): Promise<RunningHost> {
  const { port, close } = await peer.start(settings);
  return { url: `http://127.0.0.1:${port}`, close };
}
