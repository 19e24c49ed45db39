import type { EmulatorClock } from '../clock.js';
import { randomToken, type Randomness } from './randomness.js';

/** A base access token and when it stops working. */
interface BaseToken {
  readonly token: string;
  readonly appid: string;
  readonly expiresAt: number;
  /** Since a newer token took its place it works no longer than this. */
  supersededAt: number;
}

/** What a token endpoint answers. */
export interface IssuedToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

interface Forcing {
  lastAt: number;
}

const lifetime = 7200_000;
const overlap = 300_000;
const forcePause = 30_000;

/** The tokens of `/cgi-bin/*`: classic and stable ones live side by side and never touch each other (protocol E.1). */
export class BaseTokens {
  readonly #tokens = new Map<string, BaseToken>();
  readonly #classic = new Map<string, BaseToken>();
  readonly #stable = new Map<string, BaseToken>();
  readonly #forcing = new Map<string, Forcing>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  /** Each call mints a new token; the one before it works for five more minutes. */
  issueClassic(appid: string): IssuedToken {
    const before = this.#classic.get(appid);
    if (before) before.supersededAt = this.clock.now() + overlap;
    return this.#answer(this.#mint(appid, this.#classic));
  }

  /** The same token with what is left of it, until five minutes before its end. */
  issueStable(appid: string): IssuedToken {
    const current = this.#stable.get(appid);
    const lasts = current !== undefined && current.expiresAt - this.clock.now() >= overlap;
    return this.#answer(lasts ? current : this.#mint(appid, this.#stable));
  }

  /** True when a forced refresh would do nothing because the last one was less than thirty seconds ago. */
  forcedJustNow(appid: string): boolean {
    const last = this.#forcing.get(appid);
    return last !== undefined && this.clock.now() - last.lastAt < forcePause;
  }

  /** A new stable token; the one before it is worthless at once. */
  forceStable(appid: string): IssuedToken {
    const before = this.#stable.get(appid);
    if (before) before.supersededAt = this.clock.now();
    this.#forcing.set(appid, { lastAt: this.clock.now() });
    return this.#answer(this.#mint(appid, this.#stable));
  }

  /** Whose token it is, or why it is refused. */
  check(
    token: string,
  ): { readonly appid: string } | { readonly refused: 'unknown' | 'superseded' | 'expired' } {
    const found = this.#tokens.get(token);
    if (!found) return { refused: 'unknown' };
    if (found.supersededAt <= this.clock.now()) return { refused: 'superseded' };
    if (found.expiresAt <= this.clock.now()) return { refused: 'expired' };
    return { appid: found.appid };
  }

  #mint(appid: string, current: Map<string, BaseToken>): BaseToken {
    const expiresAt = this.clock.now() + lifetime;
    const minted = { token: randomToken(this.randomness), appid, expiresAt, supersededAt: Infinity };
    this.#tokens.set(minted.token, minted);
    current.set(appid, minted);
    return minted;
  }

  #answer({ token, expiresAt }: BaseToken): IssuedToken {
    return { token, expiresIn: Math.ceil((expiresAt - this.clock.now()) / 1000) };
  }
}
