import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** A consent sheet that is open on somebody's phone. */
export interface Consent {
  readonly ticket: string;
  readonly person: PersonId;
  readonly appid: string;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly scope: string;
  readonly expiresAt: number;
}

const lifetime = 10 * 60_000;

/** Open consent sheets of `/connect/oauth2/authorize`; each can be answered once. */
export class Consents {
  readonly #open = new Map<string, Consent>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  ask(request: Omit<Consent, 'ticket' | 'expiresAt'>): Consent {
    this.#forgetOld();
    const ticket = randomText(this.randomness, 24);
    const consent = { ...request, ticket, expiresAt: this.clock.now() + lifetime };
    this.#open.set(ticket, consent);
    return consent;
  }

  /** Takes the sheet away, whatever the answer is. */
  take(ticket: string): Consent | undefined {
    const consent = this.#open.get(ticket);
    this.#open.delete(ticket);
    return consent && consent.expiresAt > this.clock.now() ? consent : undefined;
  }

  #forgetOld(): void {
    for (const [ticket, consent] of this.#open) {
      if (consent.expiresAt > this.clock.now()) return;
      this.#open.delete(ticket);
    }
  }
}
