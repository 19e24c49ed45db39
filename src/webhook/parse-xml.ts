import {
  emptyFields,
  envelopeFields,
  FieldCollector,
  MAX_DEPTH,
  textFields,
  type ReadFields,
} from './message.js';

/** A declaration, and the tag of the element that the message is. */
const beginning = /^\s*(?:<\?xml[^<>]*\?>\s*)?<([A-Za-z_][\w.-]*)(?:\s[^<>]*)?\/?>/;
/** A tag, the start of a CDATA section, or text. WeChat writes no attribute, comment, DTD or processing instruction. */
const token = /<(?<slash>\/?)\s*(?<name>[^\s<>/!?]+)\s*(?<isEmpty>\/?)>|<!\[CDATA\[|[^<]+/y;
/** The lookahead keeps a tag that never ends from being tried at every length of its name. */
const openingTag = /<\s*([A-Za-z][\w.-]*)(?=[\s/>])[^<>]*>/g;
const envelopeField = /\s*<\s*([A-Za-z]\w*)\s*>(?:<!\[CDATA\[([^<]*?)\]\]>|([^<]*))<\/\1\s*>/y;
const CDATA = '<![CDATA[';
/** Elements that a broken message is searched for: each search may pass the whole of it. */
const MOST_SOUGHT = 200;

/**
 * The children of the root element; null for a text that has none. WeChat does not escape the text that a person typed: `]]>`
 * ends its CDATA section, and the rest reads as WeChat's own elements. That always leaves the message malformed or repeats
 * an element (docs/decisions/0035). A message that is neither is read as XML, any other by position.
 */
export function parseXml(source: string): ReadFields | null {
  const [start, root] = beginning.exec(source) ?? [];
  if (start === undefined || root === undefined) return null;
  return (
    new XmlReader(source, start.length, root).read() ?? new BrokenXmlReader().read(source, start.length, root)
  );
}

interface OpenElement {
  readonly name: string;
  text: string;
  children: Record<string, unknown> | null;
  lastChild: string | null;
}

/** Reads the XML that WeChat writes around texts that break nothing. Knows five entities and no declarations. */
class XmlReader {
  private readonly collector = new FieldCollector();
  private readonly stack: OpenElement[] = [];
  private fields = emptyFields();

  constructor(
    private readonly source: string,
    private position: number,
    root: string,
  ) {
    this.open(root);
    if (source[position - 2] === '/') this.close(root);
  }

  /** Null for a message that is malformed or has a text twice. */
  read(): ReadFields | null {
    while (this.stack.length > 0) if (!this.step()) return null;
    if (this.source.slice(this.position).trim() !== '') return null;
    return { fields: this.fields, isWhole: this.collector.isWhole };
  }

  private step(): boolean {
    token.lastIndex = this.position;
    const match = token.exec(this.source);
    if (match === null) return false;
    this.position = token.lastIndex;
    const { name, slash, isEmpty } = match.groups ?? {};
    if (name === undefined) return match[0] === CDATA ? this.section() : this.append(match[0]);
    if (slash === '/') return isEmpty === '' && this.close(name);
    this.open(name);
    return isEmpty === '' || this.close(name);
  }

  private open(name: string): void {
    this.stack.push({ name, text: '', children: null, lastChild: null });
  }

  private section(): boolean {
    const end = this.source.indexOf(']]>', this.position);
    if (end === -1) return false;
    this.addText(this.source.slice(this.position, end));
    this.position = end + 3;
    return true;
  }

  private append(text: string): boolean {
    this.addText(decodeReferences(text));
    return !text.includes(']]>');
  }

  private addText(text: string): void {
    const element = this.stack.at(-1);
    if (element !== undefined) element.text += text;
  }

  private close(name: string): boolean {
    const element = this.stack.pop();
    const parent = this.stack.at(-1);
    if (element?.name !== name) return false;
    if (element.children !== null && element.text.trim() !== '') this.collector.isWhole = false;
    if (parent !== undefined) return this.add(parent, element);
    this.fields = element.children ?? emptyFields();
    return true;
  }

  private add(parent: OpenElement, { name: rawName, text, children }: OpenElement): boolean {
    if (this.stack.length >= MAX_DEPTH) {
      parent.text += text;
      this.collector.isWhole = false;
      return true;
    }
    const fields = (parent.children ??= emptyFields());
    const name = this.collector.name(rawName);
    if (name === null) return true;
    const earlier = fields[name];
    const isRepeated = earlier !== undefined;
    if (
      this.stack.length === 1 &&
      isBroken(name, { isRepeated, isNext: parent.lastChild === name, children })
    )
      return false;
    parent.lastChild = name;
    const value = children ?? this.collector.text(text);
    if (!isRepeated) fields[name] = value;
    else if (Array.isArray(earlier)) earlier.push(value);
    else fields[name] = [earlier, value];
    return true;
  }
}

/** Lists repeat an element at once; a text that was broken out of repeats it after something else. */
function isBroken(
  name: string,
  found: { readonly isRepeated: boolean; readonly isNext: boolean; readonly children: object | null },
): boolean {
  if (textFields.has(name)) return found.isRepeated || found.children !== null;
  return found.isRepeated && !found.isNext;
}

/**
 * Reads a message by the places of its elements. The envelope is the run of its elements at the beginning, where no person's
 * text can have been before; after it there is none. All else ends at the last of its closing tags, so that a typed text is
 * taken as it was typed, with all the XML in it.
 */
class BrokenXmlReader {
  private readonly collector = new FieldCollector();
  private sought = 0;

  read(source: string, start: number, root: string): ReadFields {
    const end = source.lastIndexOf(`</${root}>`);
    const body = source.slice(start, end < start ? source.length : end);
    const fields = emptyFields();
    const rest = body.slice(this.envelope(body, fields));
    this.seek(rest, fields, 1);
    return { fields, isWhole: false };
  }

  /** Where the envelope ends. */
  private envelope(body: string, fields: Record<string, unknown>): number {
    envelopeField.lastIndex = 0;
    for (;;) {
      const end = envelopeField.lastIndex;
      const [, name = '', section, bare = ''] = envelopeField.exec(body) ?? [];
      if (!envelopeFields.has(name) || name in fields) return end;
      fields[name] = this.collector.text(section ?? decodeReferences(bare));
    }
  }

  private seek(text: string, fields: Record<string, unknown>, depth: number): void {
    const tags = new RegExp(openingTag);
    for (let match = tags.exec(text); match !== null && this.sought < MOST_SOUGHT; match = tags.exec(text)) {
      this.sought += 1;
      const name = match[1] ?? '';
      const found = findBody(text, name, tags.lastIndex);
      if (found === null || (depth === 1 && envelopeFields.has(name))) continue;
      tags.lastIndex = found.end;
      if (!(name in fields)) fields[name] = this.value(name, found, depth);
    }
  }

  private value(name: string, { body, isSection }: ElementBody, depth: number): unknown {
    if (isSection) return this.collector.text(body.replaceAll(`]]]]>${CDATA}>`, ']]>'));
    if (textFields.has(name) || depth === MAX_DEPTH || !body.includes('<'))
      return this.collector.text(decodeReferences(body));
    const fields = emptyFields();
    this.seek(body, fields, depth + 1);
    return fields;
  }
}

interface ElementBody {
  readonly body: string;
  readonly isSection: boolean;
  /** Where the closing tag ends. */
  readonly end: number;
}

/** The body of an element whose opening tag ends at `start`; null where nothing closes it. */
function findBody(text: string, name: string, start: number): ElementBody | null {
  const closing = `</${name}>`;
  const isSection = text.startsWith(CDATA, start);
  const next = text.indexOf('<', start);
  if (text.startsWith(closing, next))
    return { body: text.slice(start, next), isSection: false, end: next + closing.length };
  const sectionEnd = isSection ? text.lastIndexOf(`]]>${closing}`) : -1;
  const from = start + CDATA.length;
  if (sectionEnd >= from)
    return { body: text.slice(from, sectionEnd), isSection, end: sectionEnd + 3 + closing.length };
  const end = text.lastIndexOf(closing);
  return end < start ? null : { body: text.slice(start, end), isSection: false, end: end + closing.length };
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** A reference that names nothing stays as it is written. */
function decodeReferences(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(lt|gt|amp|quot|apos));/g,
    (reference, ...groups) => {
      const [decimal, hex, entity] = groups as (string | undefined)[];
      if (entity !== undefined) return entities[entity] ?? reference;
      const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : reference;
    },
  );
}
