import type { PersonId } from './identities.js';
import type { Randomness } from './randomness.js';

/** The keys under which a mini program's client encrypts for its server; each new login changes the key (protocol D.2). */
export class SessionKeys {
  readonly #keys = new Map<string, string>();

  constructor(private readonly randomness: Randomness) {}

  renew(person: PersonId, appid: string): string {
    const key = this.randomness.bytes(16).toString('base64');
    this.#keys.set(`${person} ${appid}`, key);
    return key;
  }

  /** The key of the last login; the first one is made on demand. */
  current(person: PersonId, appid: string): string {
    return this.#keys.get(`${person} ${appid}`) ?? this.renew(person, appid);
  }
}
