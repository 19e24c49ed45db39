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

/** A mark, a text, or a number or name. */
const token = /\s*([{}[\],:]|"(?:[^"\\]|\\[^])*"|[\w.+-]+)/y;
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
    if (this.next() !== '{') throw new NotJson();
    const fields = this.object(1);
    if (this.source.slice(this.position).trim() !== '') this.collector.isWhole = false;
    return { fields, isWhole: this.collector.isWhole };
  }

  private object(depth: number): Record<string, unknown> {
    const fields = emptyFields();
    this.list('}', (quoted) => {
      const name = this.collector.name(unquoted(quoted));
      if (this.next() !== ':') throw new NotJson();
      const value = this.value(this.next(), depth + 1);
      if (name === null) return;
      if (name in fields) this.collector.isWhole = false;
      else fields[name] = value;
    });
    return fields;
  }

  private array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.list(']', (first) => items.push(this.value(first, depth + 1)));
    return items;
  }

  private value(first: string, depth: number): unknown {
    if (first.startsWith('"')) return this.collector.text(unquoted(first));
    if (first !== '{' && first !== '[') return scalar(first);
    if (depth > MAX_DEPTH) return this.collector.text(this.skip());
    return first === '{' ? this.object(depth) : this.array(depth);
  }

  /** Calls `item` with the first token of each, up to the mark that closes the list. */
  private list(close: string, item: (first: string) => void): void {
    let first = this.next();
    if (first === close) return;
    for (;;) {
      item(first);
      const mark = this.next();
      if (mark === close) return;
      if (mark !== ',') throw new NotJson();
      first = this.next();
    }
  }

  /** Takes a value that nests too deep as text, without recursion: its depth is up to its sender. */
  private skip(): string {
    const start = this.position - 1;
    for (let depth = 1; depth > 0;) {
      const mark = this.next();
      if (mark === '{' || mark === '[') depth += 1;
      if (mark === '}' || mark === ']') depth -= 1;
    }
    return this.source.slice(start, this.position);
  }

  private next(): string {
    token.lastIndex = this.position;
    const [, text] = token.exec(this.source) ?? [];
    if (text === undefined) throw new NotJson();
    this.position = token.lastIndex;
    return text;
  }
}

function unquoted(quoted: string): string {
  if (!quoted.startsWith('"')) throw new NotJson();
  return quoted
    .slice(1, -1)
    .replace(/\\(u[\da-fA-F]{4}|[^])/g, (_escape, code: string) =>
      code.length === 5 ? String.fromCharCode(parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
    );
}

function scalar(word: string): unknown {
  const constant = constants.get(word);
  if (constant !== undefined) return constant;
  if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word)) throw new NotJson();
  return longInteger.test(word) || !Number.isFinite(Number(word)) ? word : Number(word);
}
