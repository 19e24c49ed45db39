import { emptyFields, type ReadFields } from './message-fields.js';
import { parseJson } from './parse-json.js';
import { parseXml } from './parse-xml.js';

/** How the account's server configuration writes messages; a reply is written the same way. */
export type MessageFormat = 'xml' | 'json';

/** A message that was read, and how it was written. */
export interface ParsedMessage extends ReadFields {
  readonly format: MessageFormat;
}

/**
 * Reads a message, however a person's text has broken it; without fields where it is none. The content type is not looked
 * at: WeChat says `text/xml` of JSON too.
 */
export function parseMessage(source: string | Uint8Array): ParsedMessage {
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  const format = text.trimStart().startsWith('{') ? 'json' : 'xml';
  const read = format === 'json' ? parseJson(text) : parseXml(text);
  return { format, ...(read ?? { fields: emptyFields(), isWhole: false }) };
}
