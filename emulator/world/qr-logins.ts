import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** Where a QR sign-in on a PC stands (protocol A.4). */
export type QrLoginStatus = 'waiting' | 'scanned' | 'confirmed' | 'denied' | 'expired';

/** One QR code on one PC's screen. */
export interface QrLogin {
  readonly uuid: string;
  readonly appid: string;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly scope: string;
  readonly expiresAt: number;
  status: QrLoginStatus;
  /** When a page showing it last gave a sign of life; the phone page lists what is on a screen. */
  seenAt: number;
  person?: PersonId;
  code?: string;
}

const lifetime = 5 * 60_000;
const keptAfterExpiry = 60 * 60_000;
const recently = 10_000;

/** The QR codes of `/connect/qrconnect`: waiting → scanned → confirmed or denied; all expire. */
export class QrLogins {
  readonly #logins = new Map<string, QrLogin>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {
    clock.onJump(() => [...this.#waiting.keys()].forEach((uuid) => this.#wake(uuid)));
  }

  show(request: Pick<QrLogin, 'appid' | 'redirectUri' | 'state' | 'scope'>): QrLogin {
    this.#forgetOld();
    const uuid = randomText(this.randomness, 16);
    const now = this.clock.now();
    const login: QrLogin = { ...request, uuid, expiresAt: now + lifetime, status: 'waiting', seenAt: now };
    this.#logins.set(uuid, login);
    return login;
  }

  find(uuid: string): QrLogin | undefined {
    const login = this.#logins.get(uuid);
    if (login && login.status !== 'confirmed' && login.expiresAt <= this.clock.now())
      login.status = 'expired';
    return login;
  }

  /** A page that shows the code is asking about it. */
  see(login: QrLogin): void {
    login.seenAt = this.clock.now();
  }

  /** True while a page waits for the phone, or did a moment ago. */
  isOnScreen({ uuid, seenAt }: QrLogin): boolean {
    return this.#waiting.has(uuid) || this.clock.now() - seenAt < recently;
  }

  /** Codes somebody could scan now, the newest first. */
  pending(): readonly QrLogin[] {
    const newestFirst = [...this.#logins.keys()].reverse();
    return newestFirst.flatMap((uuid) => {
      const login = this.find(uuid);
      return login && login.status !== 'expired' && login.status !== 'confirmed' ? [login] : [];
    });
  }

  /** The phone has read the code; a later phone takes it over, and a refused one may be tried again. */
  scan(login: QrLogin, person: PersonId): void {
    login.status = 'scanned';
    login.person = person;
    this.#wake(login.uuid);
  }

  confirm(login: QrLogin, code: string): void {
    login.status = 'confirmed';
    login.code = code;
    this.#wake(login.uuid);
  }

  deny(login: QrLogin): void {
    login.status = 'denied';
    this.#wake(login.uuid);
  }

  /** Calls back once when the code's state may have changed; returns the way to stop waiting. */
  onChange(uuid: string, listener: () => void): () => void {
    const listeners = this.#waiting.get(uuid) ?? new Set();
    this.#waiting.set(uuid, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#waiting.delete(uuid);
    };
  }

  #wake(uuid: string): void {
    for (const listener of [...(this.#waiting.get(uuid) ?? [])]) listener();
  }

  #forgetOld(): void {
    const limit = this.clock.now() - keptAfterExpiry;
    for (const [uuid, login] of this.#logins) {
      if (login.expiresAt > limit) return;
      this.#logins.delete(uuid);
    }
  }
}
