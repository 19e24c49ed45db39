import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomToken, type Randomness } from './randomness.js';

/** Seconds a web-authorization access token lives. */
export const snsTokenSeconds = 7200;

/** One authorization of a person for an app, with its pair of tokens (protocol C). */
export interface SnsAuthorization {
  readonly appid: string;
  readonly person: PersonId;
  readonly openid: string;
  readonly scope: string;
  readonly snapshot: boolean;
  accessToken: string;
  accessExpiresAt: number;
  readonly refreshToken: string;
  readonly refreshExpiresAt: number;
  revoked: boolean;
}

/** The tokens of `/sns/*`: per person, useless for `/cgi-bin/*`. */
export class SnsTokens {
  readonly #byAccess = new Map<string, SnsAuthorization>();
  readonly #byRefresh = new Map<string, SnsAuthorization>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  issue(
    subject: Pick<SnsAuthorization, 'appid' | 'person' | 'openid' | 'scope' | 'snapshot'>,
    refreshDays: number,
  ): SnsAuthorization {
    const now = this.clock.now();
    const authorization = {
      ...subject,
      accessToken: randomToken(this.randomness),
      accessExpiresAt: now + snsTokenSeconds * 1000,
      refreshToken: randomToken(this.randomness),
      refreshExpiresAt: now + refreshDays * 86_400_000,
      revoked: false,
    };
    this.#byAccess.set(authorization.accessToken, authorization);
    this.#byRefresh.set(authorization.refreshToken, authorization);
    return authorization;
  }

  findByAccessToken(token: string): SnsAuthorization | undefined {
    return this.#byAccess.get(token);
  }

  findByRefreshToken(token: string): SnsAuthorization | undefined {
    return this.#byRefresh.get(token);
  }

  /** A live access token is kept and renewed; an expired one is replaced (protocol C.2). */
  refresh(authorization: SnsAuthorization): void {
    if (authorization.accessExpiresAt <= this.clock.now()) {
      authorization.accessToken = randomToken(this.randomness);
      this.#byAccess.set(authorization.accessToken, authorization);
    }
    authorization.accessExpiresAt = this.clock.now() + snsTokenSeconds * 1000;
  }

  /** Ends all of a person's authorizations, of one app or of every app. */
  revoke(person: PersonId, appid?: string): void {
    for (const authorization of this.#byRefresh.values()) {
      const meant = authorization.person === person && (appid ?? authorization.appid) === authorization.appid;
      if (meant) authorization.revoked = true;
    }
  }
}
