import type { PersonId } from './identities.js';

/** Who has ever agreed to show which app their profile. */
export class Grants {
  readonly #granted = new Set<string>();

  record(person: PersonId, appid: string): void {
    this.#granted.add(`${person} ${appid}`);
  }

  has(person: PersonId, appid: string): boolean {
    return this.#granted.has(`${person} ${appid}`);
  }

  withdraw(person: PersonId, appid: string): void {
    this.#granted.delete(`${person} ${appid}`);
  }
}
