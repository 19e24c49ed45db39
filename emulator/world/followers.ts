import type { PersonId } from './identities.js';

/** When and how a person came to follow an account. */
export interface Following {
  readonly since: number;
  readonly subscribeScene: string;
  readonly qrScene: number;
  readonly qrSceneStr: string;
}

/** Who follows which Official Account. */
export class Followers {
  readonly #followers = new Map<string, Map<PersonId, Following>>();

  follow(person: PersonId, appid: string, following: Following): void {
    const followers = this.#followers.get(appid) ?? new Map<PersonId, Following>();
    this.#followers.set(appid, followers.set(person, following));
  }

  unfollow(person: PersonId, appid: string): void {
    this.#followers.get(appid)?.delete(person);
  }

  find(person: PersonId, appid: string): Following | undefined {
    return this.#followers.get(appid)?.get(person);
  }

  has(person: PersonId, appid: string): boolean {
    return this.find(person, appid) !== undefined;
  }

  of(appid: string): readonly PersonId[] {
    return [...(this.#followers.get(appid)?.keys() ?? [])];
  }
}
