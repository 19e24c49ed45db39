import type { EmulatorClock } from '../clock.js';
import type { EmulatorRules } from '../rules.js';
import { randomText, type Randomness } from './randomness.js';

/** A parametric QR code of an Official Account. */
export interface Scene {
  readonly ticket: string;
  /** What the QR code says. */
  readonly url: string;
  readonly appid: string;
  /** What events carry: the number as text, or the string. */
  readonly key: string;
  readonly isNumber: boolean;
  /** Milliseconds since the epoch; infinite for a permanent code. */
  readonly expiresAt: number;
  /** Nobody has scanned it yet. */
  fresh: boolean;
}

const keptAfterExpiry = 3_600_000;

/** All parametric QR codes (protocol E.3). */
export class Scenes {
  readonly #byTicket = new Map<string, Scene>();
  readonly #byUrl = new Map<string, Scene>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
    private readonly rules: Pick<EmulatorRules, 'tickets'>,
  ) {}

  /** Makes a code that lives so many seconds, or for ever. */
  create(scene: Pick<Scene, 'appid' | 'key' | 'isNumber'>, seconds: number): Scene {
    this.#forgetOld();
    const created = {
      ...scene,
      ticket: this.#ticket(),
      url: `http://weixin.qq.com/q/0${randomText(this.randomness, 23)}`,
      expiresAt: this.clock.now() + seconds * 1000,
      fresh: true,
    };
    this.#byTicket.set(created.ticket, created);
    this.#byUrl.set(created.url, created);
    return created;
  }

  findByTicket(ticket: string): Scene | undefined {
    return this.#byTicket.get(ticket);
  }

  findByUrl(url: string): Scene | undefined {
    return this.#byUrl.get(url);
  }

  isExpired(scene: Scene): boolean {
    return scene.expiresAt <= this.clock.now();
  }

  /** Codes that are still worth scanning, the newest first. */
  pending(): readonly Scene[] {
    return [...this.#byTicket.values()].filter((scene) => scene.fresh && !this.isExpired(scene)).reverse();
  }

  /** Ends in `==`, which may stand in an address as it is; `+` and `/` may not. */
  #ticket(): string {
    const random = this.randomness.bytes(64);
    return this.rules.tickets === 'hostile'
      ? `gQ+/${random.toString('base64')}`
      : `gQ${random.toString('base64url')}==`;
  }

  #forgetOld(): void {
    const limit = this.clock.now() - keptAfterExpiry;
    for (const scene of this.#byTicket.values()) {
      if (scene.expiresAt > limit) return;
      this.#byTicket.delete(scene.ticket);
      this.#byUrl.delete(scene.url);
    }
  }
}
