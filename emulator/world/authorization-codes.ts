import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** What a code stands for, and until when. */
export interface AuthorizationCode {
  readonly code: string;
  readonly use: 'oauth' | 'session' | 'phone';
  readonly appid: string;
  readonly person: PersonId;
  readonly scope: string;
  readonly snapshot: boolean;
  readonly expiresAt: number;
  used: boolean;
}

/** What came of trying to use a code. */
type CodeUse =
  { readonly code: AuthorizationCode } | { readonly refused: 'unknown' | 'foreign' | 'used' | 'expired' };

const keptAfterExpiry = 3_600_000;

/** Single-use codes bound to the app that asked for them (protocol K.1). */
export class AuthorizationCodes {
  readonly #codes = new Map<string, AuthorizationCode>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  issue(grant: Omit<AuthorizationCode, 'code' | 'expiresAt' | 'used'>, lifetimeSeconds: number): string {
    this.#forgetOld();
    const isPhone = grant.use === 'phone';
    const code = isPhone ? this.randomness.bytes(32).toString('hex') : `0${randomText(this.randomness, 31)}`;
    this.#codes.set(code, {
      ...grant,
      code,
      expiresAt: this.clock.now() + lifetimeSeconds * 1000,
      used: false,
    });
    return code;
  }

  /** Uses the code up. A code for another use is unknown here, one of another app is foreign; a used one says so while it is fresh. */
  redeem(code: string, use: AuthorizationCode['use'], appid: string): CodeUse {
    const found = this.#codes.get(code);
    if (found?.use !== use) return { refused: 'unknown' };
    if (found.appid !== appid) return { refused: 'foreign' };
    if (found.expiresAt <= this.clock.now()) return { refused: 'expired' };
    if (found.used) return { refused: 'used' };
    found.used = true;
    return { code: found };
  }

  #forgetOld(): void {
    const limit = this.clock.now() - keptAfterExpiry;
    for (const [key, code] of this.#codes) {
      if (code.expiresAt > limit) return;
      this.#codes.delete(key);
    }
  }
}
