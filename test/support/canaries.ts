import type { Reply } from './pc-browser.js';

/**
 * What must stay where it belongs. `secret`: configured or given to us by WeChat, nobody else's business. `issued`: made for
 * one receiver. `person`: who somebody is at WeChat.
 */
export type CanaryKind = 'secret' | 'issued' | 'person';

/** How a value may turn up: raw, in a URL, in JSON, in base64, in hex. */
const disguises = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  JSON.stringify(value).slice(1, -1),
  Buffer.from(value).toString('base64').replace(/=+$/, ''),
  Buffer.from(value).toString('base64url'),
  Buffer.from(value).toString('hex'),
];

/** Shorter values occur by chance. */
const MIN_LENGTH = 8;

/** Values that a test planted or was given, and a search for them. */
export class Canaries {
  private readonly values = new Map<string, { readonly kind: CanaryKind; readonly name: string }>();

  get size(): number {
    return this.values.size;
  }

  /** The names of what was noted so far. */
  get names(): string[] {
    return [...new Set([...this.values.values()].map(({ name }) => name))];
  }

  note(kind: CanaryKind, name: string, value: string | null | undefined): void {
    if (value === null || value === undefined || value.length < MIN_LENGTH) return;
    this.values.set(value, { kind, name });
  }

  /** The names of what a text shows, however disguised. */
  in(text: string, ...kinds: readonly CanaryKind[]): string[] {
    return [...this.values]
      .filter(
        ([value, { kind }]) => kinds.includes(kind) && disguises(value).some((each) => text.includes(each)),
      )
      .map(([, { name }]) => name);
  }
}

/** One answer that a browser or script got. */
export interface RecordedReply {
  readonly url: string;
  readonly text: string;
  readonly headers: Reply['headers'];
}

/** Keeps every answer of one host; `stop` ends it. */
export function recordReplies(base: string): { readonly replies: RecordedReply[]; stop(): void } {
  const original = globalThis.fetch;
  const replies: RecordedReply[] = [];
  globalThis.fetch = async (input, init) => {
    const response = await original(input, init);
    const url = input instanceof Request ? input.url : String(input);
    if (url.startsWith(base))
      replies.push({ url, text: await response.clone().text(), headers: response.headers });
    return response;
  };
  const stop = (): void => {
    globalThis.fetch = original;
  };
  return { replies, stop };
}
