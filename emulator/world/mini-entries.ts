import { createHash } from 'node:crypto';
import type { EmulatorClock } from '../clock.js';
import type { PersonId } from './identities.js';
import { randomText, type Randomness } from './randomness.js';

/** Which build of a mini program opens; the last two open for its members only. */
export const miniVersions = ['release', 'trial', 'develop'] as const;

/** Where a code or a link leads. */
export interface MiniTarget {
  readonly appid: string;
  /** Empty: the home page. */
  readonly page: string;
  /** As the page gets it: values are percent-encoded, as WeChat leaves them. */
  readonly query: string;
  readonly version: (typeof miniVersions)[number];
}

/** A code that WeChat has drawn. */
interface MiniCode {
  readonly target: MiniTarget;
  /** What a camera reads from its picture. */
  readonly content: string;
  readonly madeAt: number;
}

/** A link that was generated, not written by hand. */
interface MiniLink {
  readonly target: MiniTarget;
  readonly madeAt: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** What opens it outside WeChat, in WeChat's numbers: 1065 a scheme, 1194 a URL Link. */
  readonly entry: 1065 | 1194;
}

/** The form of a plain scheme, for which there is no API. */
const plainScheme = /^weixin:\/\/dl\/business\/\?(appid=.*)$/;

/** The ways into mini programs: codes, which never expire, and links, which do (protocol part 2, A). */
export class MiniEntries {
  readonly #codes = new Map<string, MiniCode>();
  readonly #links = new Map<string, MiniLink>();
  readonly #pathCodes = new Map<string, number>();
  readonly #running = new Set<string>();

  constructor(
    private readonly clock: EmulatorClock,
    private readonly randomness: Randomness,
  ) {}

  /** Remembers a picture by all of its bytes: one that lost some on its way shows nothing. */
  addCode(picture: Buffer, target: MiniTarget, content: string): void {
    this.#codes.set(hash(picture), { target, content, madeAt: this.clock.now() });
  }

  /** The code in a picture, or with this content. */
  findCode(shown: Buffer | string): MiniCode | undefined {
    if (typeof shown !== 'string') return this.#codes.get(hash(shown));
    return [...this.#codes.values()].find(({ content }) => content === shown);
  }

  /** Counts a code with a path; null where the program has as many as it may ever have. */
  countPathCode(appid: string, most: number): number | null {
    const used = (this.#pathCodes.get(appid) ?? 0) + 1;
    if (used > most) return null;
    this.#pathCodes.set(appid, used);
    return used;
  }

  /** The newest first. */
  codes(): readonly MiniCode[] {
    return [...this.#codes.values()].reverse();
  }

  /** The token of a new link. */
  addLink(link: Omit<MiniLink, 'madeAt'>, length: number): string {
    const token = randomText(this.randomness, length);
    this.#links.set(token, { ...link, madeAt: this.clock.seconds() });
    return token;
  }

  findLink(token: string): MiniLink | undefined {
    return this.#links.get(token);
  }

  /** Where a link leads and as what it counts; undefined for one that is unknown or has expired. */
  open(link: string): { readonly target: MiniTarget; readonly entry: number } | undefined {
    const [, plain] = plainScheme.exec(link) ?? [];
    if (plain !== undefined) return { target: plainTarget(new URLSearchParams(plain)), entry: 1286 };
    const [, token = ''] = /^(?:weixin:\/\/dl\/business\/\?t=|https:\/\/wxaurl\.cn\/)(\w+)/.exec(link) ?? [];
    const found = this.#links.get(token);
    return found && found.expiresAt > this.clock.seconds() ? found : undefined;
  }

  /** Starts the program of a person; true when it was running (hot start). */
  start(person: PersonId, appid: string): boolean {
    const key = `${person} ${appid}`;
    const wasRunning = this.#running.has(key);
    this.#running.add(key);
    return wasRunning;
  }

  stop(person: PersonId, appid: string): void {
    this.#running.delete(`${person} ${appid}`);
  }
}

function plainTarget(parameters: URLSearchParams): MiniTarget {
  const version = miniVersions.find((name) => name === parameters.get('env_version')) ?? 'release';
  return {
    appid: parameters.get('appid') ?? '',
    page: parameters.get('path') ?? '',
    query: parameters.get('query') ?? '',
    version,
  };
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
