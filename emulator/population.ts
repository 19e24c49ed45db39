import { Person } from './person.js';
import type { Platform } from './platform.js';

/** How somebody new is described. */
export interface PersonOptions {
  readonly nickname: string;
  /** Address of the picture. @default none */
  readonly avatar?: string;
  /** With the same id and seed the openids are the same in every run. */
  readonly id?: string;
}

/** Everybody with a phone, as objects to act with. */
export class Population {
  readonly #people = new Map<string, Person>();

  constructor(private readonly platform: Platform) {}

  add({ nickname, avatar = '', id }: PersonOptions): Person {
    const person = new Person(this.platform, this.platform.world.people.add({ nickname, avatar, id }));
    this.#people.set(person.id, person);
    return person;
  }

  find(id: string): Person | undefined {
    return this.#people.get(id);
  }

  all(): readonly Person[] {
    return [...this.#people.values()];
  }
}
