import { SaxesParser } from 'saxes';
import {
  decisiveFields,
  emptyFields,
  invalidMessage,
  isFieldName,
  MAX_DEPTH,
  type MessageFields,
} from './message-fields.js';

const MAX_ELEMENTS = 200;

interface OpenElement {
  readonly name: string;
  text: string;
  children: Record<string, unknown> | null;
}

/**
 * The children of the root element. No DTD, no processing instruction, no entity but the five predefined ones: see
 * docs/decisions/0009-xml-parser-saxes.md. @throws IamError `webhook_message_invalid`
 */
export function parseXml(source: string): MessageFields {
  const reader = new XmlReader();
  const parser = new SaxesParser({ position: false, forceXMLVersion: true, defaultXMLVersion: '1.0' });
  parser.on('doctype', () => refuse('a DTD'));
  parser.on('processinginstruction', () => refuse('a processing instruction'));
  parser.on('attribute', () => refuse('an attribute'));
  parser.on('opentag', ({ name }) => reader.open(name));
  parser.on('text', (text) => reader.append(text));
  parser.on('cdata', (text) => reader.append(text));
  parser.on('closetag', () => reader.close());
  parser.on('error', (error) => {
    throw invalidMessage('XML that is not well-formed', error);
  });
  parser.write(source).close();
  return reader.fields;
}

class XmlReader {
  fields: MessageFields = emptyFields();
  private readonly stack: OpenElement[] = [];
  private elements = 0;

  open(name: string): void {
    this.elements += 1;
    if (this.elements > MAX_ELEMENTS) refuse(`more than ${MAX_ELEMENTS} elements`);
    if (this.stack.length === MAX_DEPTH) refuse(`elements nested deeper than ${MAX_DEPTH}`);
    this.stack.push({ name, text: '', children: null });
  }

  append(text: string): void {
    const element = this.stack.at(-1);
    if (element !== undefined) element.text += text;
  }

  close(): void {
    const element = this.stack.pop();
    const parent = this.stack.at(-1);
    if (element === undefined) return;
    if (parent === undefined) this.fields = element.children ?? emptyFields();
    else this.add(parent, element);
  }

  private add(parent: OpenElement, { name, text, children }: OpenElement): void {
    parent.children ??= emptyFields();
    if (!isFieldName(name)) return;
    const value = children ?? text;
    const earlier = parent.children[name];
    if (earlier === undefined) parent.children[name] = value;
    else if (this.stack.length === 1 && decisiveFields.has(name)) refuse(`${name} twice`);
    else
      parent.children[name] = Array.isArray(earlier) ? [...(earlier as unknown[]), value] : [earlier, value];
  }
}

function refuse(what: string): never {
  throw invalidMessage(`XML with ${what}`);
}
