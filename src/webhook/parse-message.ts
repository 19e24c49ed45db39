import { invalidMessage, type MessageFields } from './message-fields.js';
import { parseJson } from './parse-json.js';
import { parseXml } from './parse-xml.js';

/** How the account's server configuration writes messages; a reply is written the same way. */
export type MessageFormat = 'xml' | 'json';

/** A message that was read, and how it was written. */
export interface ParsedMessage {
  readonly format: MessageFormat;
  readonly fields: MessageFields;
}

/** Reads a message whose content type nobody vouches for: WeChat says `text/xml` of JSON too. @throws IamError `webhook_message_invalid` */
export function parseMessage(source: string | Uint8Array): ParsedMessage {
  const text = typeof source === 'string' ? source : decode(source);
  const format = text.trimStart().startsWith('{') ? 'json' : 'xml';
  return { format, fields: format === 'json' ? parseJson(text) : parseXml(text) };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalidMessage('a body that is not UTF-8', cause);
  }
}
