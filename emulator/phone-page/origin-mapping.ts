import type { WebOrigins } from './web-origins.js';

type Encoding = (text: string) => string;

const slashEscaped: Encoding = (text) => text.replaceAll('/', '\\/');
/** The ways in which an address stands inside others. */
const encodings: readonly Encoding[] = [
  (text) => text,
  slashEscaped,
  encodeURIComponent,
  (text) => encodeURIComponent(encodeURIComponent(text)),
];

/** Translates between the real addresses that servers speak of and those that a browser on the phone page sees. */
export class OriginMapping {
  constructor(
    private readonly origins: WebOrigins,
    private readonly person: string,
    /** The emulator's port as the browser knows it, with its colon; empty for the default port. */
    private readonly port: string,
  ) {}

  /** The browser's address for a real one. */
  toBrowser(url: URL): string {
    const host = this.origins.hostFor({ person: this.person, origin: url.origin });
    return `http://${host}${this.port}${this.textToBrowser(url.pathname + url.search + url.hash)}`;
  }

  /** Replaces the real origins of visited sites in a text by the browser's, however they are encoded. */
  textToBrowser(text: string, more: readonly string[] = []): string {
    const known = [...new Set([...this.origins.of(this.person), ...more])];
    return known.reduce((mapped, origin) => this.#replaceOrigin(mapped, origin), text);
  }

  /** The same for a page: in its tags and scripts, but not in the words that people read. */
  htmlToBrowser(page: string, more: readonly string[] = []): string {
    return page.replace(/<script\b[\s\S]*?<\/script>|<[^>]*>/gi, (part) => this.textToBrowser(part, more));
  }

  /** Replaces the browser's origins in a text by the real ones. */
  textToServer(text: string): string {
    return encodings.reduce((mapped, encode) => {
      const found = new RegExp(
        `${escapeRegExp(encode('http://'))}(web-[0-9a-f]{16}\\.phone\\.localhost)(?:(?::|%3A|%253A)\\d+)?`,
        'gi',
      );
      return mapped.replace(found, (whole, host: string) => {
        const origin = this.origins.find(host.toLowerCase())?.origin;
        return origin === undefined ? whole : encode(origin);
      });
    }, text);
  }

  #replaceOrigin(text: string, origin: string): string {
    const host = this.origins.hostFor({ person: this.person, origin });
    return encodings.reduce((mapped, encode) => {
      const whole = new RegExp(`${escapeRegExp(encode(origin))}(?![\\w.-]|(?::|%3A|%253A)\\d)`, 'gi');
      return mapped.replace(whole, encode(`http://${host}${this.port}`));
    }, text);
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
