/** An element with its text and its children. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const token = /<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z_][\w.-]*)\s*(\/?)>|([^<]+)/y;
const deepest = 10;

/** Reads a reply as strictly as WeChat: one element, nothing before or after it, no attributes, no DTD. */
export function readXml(source: string): XmlElement {
  const reader = new XmlReader(source);
  const root = reader.element(reader.next(), 0);
  if (!reader.isAtEnd()) throw new Error('something follows the XML');
  return root;
}

/** The text of a child element; empty when there is none. */
export function childText(element: XmlElement, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? '';
}

interface Token {
  readonly kind: 'open' | 'close' | 'empty' | 'text';
  readonly value: string;
}

class XmlReader {
  #at = 0;

  constructor(private readonly source: string) {}

  isAtEnd(): boolean {
    return this.source.slice(this.#at).trim() === '';
  }

  next(): Token {
    token.lastIndex = this.#at;
    const match = token.exec(this.source);
    if (!match) throw new Error(`no XML at ${this.#at}`);
    this.#at = token.lastIndex;
    const [, cdata, slash, name, empty, text] = match;
    if (name === undefined) return { kind: 'text', value: cdata ?? entities(text ?? '') };
    return { kind: slash === '/' ? 'close' : empty === '/' ? 'empty' : 'open', value: name };
  }

  element(first: Token, depth: number): XmlElement {
    if (first.kind === 'empty') return { name: first.value, text: '', children: [] };
    if (first.kind !== 'open' || depth > deepest) throw new Error('an element was expected');
    const children: XmlElement[] = [];
    let text = '';
    for (;;) {
      const next = this.next();
      if (next.kind === 'text') text += next.value;
      else if (next.kind !== 'close') children.push(this.element(next, depth + 1));
      else if (next.value !== first.value) throw new Error(`${first.value} is not closed`);
      else return { name: first.value, text: children.length === 0 ? text : '', children };
    }
  }
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function entities(text: string): string {
  return text.replace(
    /&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
      return named[name ?? ''] ?? whole;
    },
  );
}
