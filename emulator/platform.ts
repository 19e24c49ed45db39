import { AuthorizationChanges } from './authorization-changes.js';
import { Conversations } from './conversations.js';
import { isLoopback, isWechatHost } from './http/host-names.js';
import { Pushes } from './push/pushes.js';
import { World, type WorldLaws } from './world/world.js';

/** The world, what happens in it, and where it answers: what the emulator's public objects are views of. */
export class Platform {
  readonly world: World;
  readonly pushes: Pushes;
  readonly conversations: Conversations;
  readonly changes: AuthorizationChanges;
  #origin = 'http://127.0.0.1:0';

  constructor(invariants: WorldLaws, stopping: AbortSignal) {
    this.world = new World(invariants);
    this.pushes = new Pushes(this.world, stopping);
    this.conversations = new Conversations(this.world, this.pushes);
    this.changes = new AuthorizationChanges(this.world, this.pushes);
  }

  /** Where the emulator answers, e.g. `http://127.0.0.1:3001`. */
  get origin(): string {
    return this.#origin;
  }

  /** The names this machine goes by, in case an app uses another than `origin`. */
  get origins(): readonly string[] {
    const { port } = new URL(this.#origin);
    return [this.#origin, `http://localhost:${port}`, `http://127.0.0.1:${port}`];
  }

  /** True for an address of the emulator itself, whatever name this machine is called by, and for WeChat's own hosts. */
  isOwn(url: URL): boolean {
    const here = new URL(this.#origin);
    const isHere = url.origin === here.origin || (isLoopback(url.hostname) && url.port === here.port);
    return isHere || isWechatHost(url.hostname);
  }

  /** Where an address is to be fetched from: WeChat's hosts are here, whatever name resolution says on this machine. */
  addressOf(url: URL): URL {
    return isWechatHost(url.hostname) ? new URL(url.pathname + url.search + url.hash, this.#origin) : url;
  }

  /** Says where the platform answers, once its server listens. */
  complete(host: string, port: number): void {
    const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    this.#origin = `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
  }
}
