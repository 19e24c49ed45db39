import { emptyFields, type ReadFields, FieldCollector, MAX_DEPTH } from './message.js';
import { parseXml } from './parse-xml.js';

/** How the account's server configuration writes messages; a reply is written the same way. */
export type MessageFormat = 'xml' | 'json';

/** A message that was read, and how it was written. */
export interface ParsedMessage extends ReadFields {
  readonly format: MessageFormat;
}

/**
 * Reads a message, however a person's text has broken it; without fields where it is none. The content type does not
 * count: WeChat sends `text/xml` with JSON too.
 */
export function parseMessage(source: string | Uint8Array): ParsedMessage {
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  const format = text.trimStart().startsWith('{') ? 'json' : 'xml';
  const read = format === 'json' ? parseJson(text) : parseXml(text);
  return { format, ...(read ?? { fields: emptyFields(), isWhole: false }) };
}

/** Whole numbers of this many digits may be past what a double can hold: MsgId has 64 bits. */
const longInteger = /^-?\d{16,}$/;
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const constants = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/**
 * The members of a JSON object; null for a text that is none. Takes forms that WeChat has sent and that `JSON.parse`
 * refuses or changes: bare control characters in texts, numbers of 64 bits, blanks around names. Of a name that is given
 * twice the first counts.
 */
function parseJson(source: string): ReadFields | null {
  const reader = new JsonReader(source);
  try {
    return reader.document();
  } catch (error) {
    if (error instanceof NotJson) return null;
    throw error;
  }
}

class NotJson extends Error {}

class JsonReader {
  private readonly collector = new FieldCollector();
  private position = 0;

  constructor(private readonly source: string) {}

  document(): ReadFields {
    this.position = this.source.indexOf('{');
    const fields = this.object(1);
    this.take(/\s*/y);
    if (this.position < this.source.length) this.collector.isWhole = false;
    return { fields, isWhole: this.collector.isWhole };
  }

  private object(depth: number): Record<string, unknown> {
    const fields = emptyFields();
    this.list('{', '}', () => {
      const name = this.collector.name(this.string());
      this.expect(/\s*:/y);
      const value = this.value(depth + 1);
      if (name === null) return;
      if (name in fields) this.collector.isWhole = false;
      else fields[name] = value;
    });
    return fields;
  }

  private array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.list('[', ']', () => items.push(this.value(depth + 1)));
    return items;
  }

  private value(depth: number): unknown {
    this.take(/\s*/y);
    const first = this.source[this.position];
    if (first === '"') return this.collector.text(this.string());
    if (first === '{' || first === '[') {
      if (depth > MAX_DEPTH) return this.collector.text(this.skip());
      return first === '{' ? this.object(depth) : this.array(depth);
    }
    return this.scalar();
  }

  private scalar(): unknown {
    const word = this.expect(/[\w.+-]+/y);
    const constant = constants.get(word);
    if (constant !== undefined) return constant;
    if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word)) throw new NotJson();
    return longInteger.test(word) || !Number.isFinite(Number(word)) ? word : Number(word);
  }

  private list(open: string, close: string, item: () => void): void {
    if (this.source[this.position] !== open) throw new NotJson();
    this.position += 1;
    this.take(/\s*/y);
    if (this.source[this.position] === close) {
      this.position += 1;
      return;
    }
    for (;;) {
      item();
      const mark = this.expect(/\s*[,}\]]/y).slice(-1);
      if (mark === close) return;
      if (mark !== ',') throw new NotJson();
    }
  }

  private string(): string {
    const quoted = this.expect(/\s*"(?:[^"\\]|\\[^])*"/y).trimStart();
    return quoted
      .slice(1, -1)
      .replace(/\\(u[\da-fA-F]{4}|[^])/g, (_escape, code: string) =>
        code.length === 5 ? String.fromCharCode(parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
      );
  }

  /** Takes a value that nests too deep as text, without recursion: its depth is up to its sender. */
  private skip(): string {
    const start = this.position;
    let depth = 0;
    do {
      const mark = this.expect(/(?:[^"{}[\]]|"(?:[^"\\]|\\[^])*")*[{}[\]]/y).slice(-1);
      depth += mark === '{' || mark === '[' ? 1 : -1;
    } while (depth > 0);
    return this.source.slice(start, this.position);
  }

  private expect(pattern: RegExp): string {
    const text = this.take(pattern);
    if (text === '') throw new NotJson();
    return text;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const [text = ''] = pattern.exec(this.source) ?? [];
    this.position += text.length;
    return text;
  }
}
