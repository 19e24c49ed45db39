import type { PersonId } from './identities.js';

/** A WeChat user as WeChat knows them. */
export interface PersonState {
  readonly id: PersonId;
  nickname: string;
  /** Address of the picture; empty when there is none. */
  avatar: string;
  /** The account was closed (注销): nothing works for this person any more. */
  closed: boolean;
  /** Given to a mini program by its phone-number button. */
  phoneNumber: string;
  /** The calling code of its country. */
  countryCode: string;
}

/** Everybody with a phone. */
export class People {
  readonly #people = new Map<PersonId, PersonState>();

  add(person: Pick<PersonState, 'nickname' | 'avatar'> & { readonly id?: string | undefined }): PersonState {
    const number = this.#people.size + 1;
    const id = person.id ?? `person-${number}`;
    if (this.#people.has(id)) throw new TypeError(`person ${id} exists already`);
    const phoneNumber = `138${String(number).padStart(8, '0')}`;
    const state = {
      id,
      nickname: person.nickname,
      avatar: person.avatar,
      closed: false,
      phoneNumber,
      countryCode: '86',
    };
    this.#people.set(id, state);
    return state;
  }

  find(id: PersonId): PersonState | undefined {
    return this.#people.get(id);
  }

  get(id: PersonId): PersonState {
    const person = this.#people.get(id);
    if (!person) throw new TypeError(`nobody has the id ${id}`);
    return person;
  }

  all(): readonly PersonState[] {
    return [...this.#people.values()];
  }
}
