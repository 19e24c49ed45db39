import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** A label that an Official Account puts on its followers. */
export interface Tag {
  readonly id: number;
  name: string;
  readonly members: Set<PersonId>;
}

/** A permanent media file of an Official Account. */
export interface Material {
  readonly mediaId: string;
  readonly type: string;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly updatedAt: number;
}

/** What the operator of one Official Account keeps on the platform besides its followers. */
export class OperatorRecords {
  menu: unknown;
  readonly remarks = new Map<PersonId, string>();
  readonly tags = new Map<number, Tag>();
  readonly materials = new Map<string, Material>();
  readonly #tickets = new Map<string, { readonly ticket: string; readonly expiresAt: number }>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  /** The JS-SDK ticket of a type: the same until its two hours are over. */
  ticket(type: string): { readonly ticket: string; readonly expiresIn: number } {
    const kept = this.#tickets.get(type);
    const lasts = kept !== undefined && kept.expiresAt > this.clock.now();
    const current = lasts
      ? kept
      : { ticket: randomText(this.randomness, 86), expiresAt: this.clock.now() + 7200_000 };
    this.#tickets.set(type, current);
    return { ticket: current.ticket, expiresIn: Math.ceil((current.expiresAt - this.clock.now()) / 1000) };
  }

  /** The first hundred ids belong to the platform's own tags. */
  addTag(name: string): Tag {
    const tag = { id: 100 + this.tags.size, name, members: new Set<PersonId>() };
    this.tags.set(tag.id, tag);
    return tag;
  }

  tagsOf(person: PersonId): readonly number[] {
    return [...this.tags.values()].filter(({ members }) => members.has(person)).map(({ id }) => id);
  }

  addMaterial(file: Pick<Material, 'type' | 'name' | 'contentType' | 'bytes'>): Material {
    const material = { ...file, mediaId: randomText(this.randomness, 43), updatedAt: this.clock.seconds() };
    this.materials.set(material.mediaId, material);
    return material;
  }
}
