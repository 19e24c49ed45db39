import type { World } from './world/world.js';

/** What the emulator's public objects are views of. */
export interface Platform {
  readonly world: World;
  /** Where the emulator answers, e.g. `http://127.0.0.1:3001`. */
  readonly origin: string;
  /** True for an address of the emulator itself, whatever name the machine is called by. */
  readonly isOwn: (url: URL) => boolean;
}
