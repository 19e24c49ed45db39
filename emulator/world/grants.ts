import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';

/** What a person has let an app have, and when last. */
interface Grant {
  readonly scopes: Set<string>;
  at: number;
}

/** Who has let which app see what. */
export class Grants {
  readonly #granted = new Map<PersonId, Map<string, Grant>>();

  constructor(private readonly clock: EmulatorClock) {}

  record(person: PersonId, appid: string, scope: string): void {
    const grants = this.#granted.get(person) ?? new Map<string, Grant>();
    const grant = grants.get(appid) ?? { scopes: new Set(), at: 0 };
    grant.scopes.add(scope);
    grant.at = this.clock.now();
    this.#granted.set(person, grants.set(appid, grant));
  }

  has(person: PersonId, appid: string, scope: string): boolean {
    return this.#granted.get(person)?.get(appid)?.scopes.has(scope) ?? false;
  }

  withdraw(person: PersonId, appid: string): void {
    this.#granted.get(person)?.delete(appid);
  }

  /** The apps a person has signed in to, within the last days or ever. */
  appsOf(person: PersonId, withinDays = Infinity): readonly string[] {
    const since = this.clock.now() - withinDays * 86_400_000;
    const grants = [...(this.#granted.get(person) ?? [])];
    return grants.filter(([, { at }]) => at >= since).map(([appid]) => appid);
  }
}
