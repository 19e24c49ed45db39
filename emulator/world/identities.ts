import { createHmac } from 'node:crypto';

/** Which person is meant: a world's people are told apart by their id. */
export type PersonId = string;

/**
 * Who is who for whom: one openid per person and app, one unionid per person and Open Platform account.
 * All follow from the seed, so they stay the same for as long as seed, person id and appid do.
 */
export class Identities {
  readonly #people = new Map<string, PersonId>();

  constructor(private readonly seed: string) {}

  /** 28 characters beginning with `o`, as in practice. */
  openid(person: PersonId, appid: string): string {
    const openid = `o${this.#derive(`openid ${person} ${appid}`).slice(0, 27)}`;
    this.#people.set(`${appid} ${openid}`, person);
    return openid;
  }

  unionid(person: PersonId, accountId: string): string {
    return `o${this.#derive(`unionid ${person} ${accountId}`).slice(0, 27)}`;
  }

  /** The ids of a snapshot page: they look real and belong to nobody. */
  virtualOpenid(person: PersonId, appid: string): string {
    return `o${this.#derive(`snapshot openid ${person} ${appid}`).slice(0, 27)}`;
  }

  virtualUnionid(person: PersonId, accountId: string): string {
    return `o${this.#derive(`snapshot unionid ${person} ${accountId}`).slice(0, 27)}`;
  }

  /** The person behind an openid that has been given out for this app. */
  findPerson(appid: string, openid: string): PersonId | undefined {
    return this.#people.get(`${appid} ${openid}`);
  }

  /** `wx` and 16 hex characters. */
  appid(number: number): string {
    return `wx${this.#hex(`appid ${number}`, 16)}`;
  }

  secret(number: number): string {
    return this.#hex(`secret ${number}`, 32);
  }

  /** The raw id (`gh_…`) under which an account appears in messages. */
  originalId(appid: string): string {
    return `gh_${this.#hex(`original ${appid}`, 12)}`;
  }

  #derive(what: string): string {
    return createHmac('sha256', this.seed).update(what).digest('base64url');
  }

  #hex(what: string, length: number): string {
    return createHmac('sha256', this.seed).update(what).digest('hex').slice(0, length);
  }
}
