import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** A label that an Official Account puts on its followers. */
export interface Tag {
  readonly id: number;
  name: string;
  readonly members: Set<PersonId>;
}

/** A media file of an app. */
export interface Material {
  readonly mediaId: string;
  readonly type: string;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly updatedAt: number;
}

/** Seconds that a temporary medium is kept. */
const mediaSeconds = 3 * 86_400;

/** A file as somebody uploads it. */
type UploadedFile = Pick<Material, 'type' | 'name' | 'contentType' | 'bytes'>;

/** What the operator of one Official Account keeps on the platform besides its followers. */
export class OperatorRecords {
  menu: unknown;
  readonly remarks = new Map<PersonId, string>();
  readonly tags = new Map<number, Tag>();
  readonly materials = new Map<string, Material>();
  readonly #media = new Map<string, Material>();
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

  addMaterial(file: UploadedFile): Material {
    return this.#keep(this.materials, file);
  }

  /** A temporary medium, which goes after three days. */
  addMedium(file: UploadedFile): Material {
    return this.#keep(this.#media, file);
  }

  findMedium(mediaId: string): Material | undefined {
    const medium = this.#media.get(mediaId);
    const lasts = medium !== undefined && this.clock.seconds() < medium.updatedAt + mediaSeconds;
    return lasts ? medium : undefined;
  }

  #keep(files: Map<string, Material>, file: UploadedFile): Material {
    const material = { ...file, mediaId: randomText(this.randomness, 43), updatedAt: this.clock.seconds() };
    files.set(material.mediaId, material);
    return material;
  }
}
