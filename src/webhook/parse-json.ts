import { emptyFields, invalidMessage, isFieldName, MAX_DEPTH, type MessageFields } from './message-fields.js';

/** A string, which stays as it is, or a number. */
const stringOrNumber = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Whole numbers of this many digits may be past what a double can hold: MsgId has 64 bits. */
const longInteger = /^-?\d{16,}$/;

/**
 * The members of the JSON object, long numbers as text. Only JSON that is well-formed is searched for them: there every
 * quote closes, and the search takes as long as the text is long. @throws IamError `webhook_message_invalid`
 */
export function parseJson(source: string): MessageFields {
  const value = parse(source);
  const quoted = source.replace(stringOrNumber, (token) => (longInteger.test(token) ? `"${token}"` : token));
  const copy = copyValue(quoted === source ? value : parse(quoted), 1);
  if (!isFields(copy)) throw invalidMessage('JSON that is no object');
  return copy;
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (cause) {
    throw invalidMessage('JSON that is not well-formed', cause);
  }
}

function copyValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) throw invalidMessage(`JSON nested deeper than ${MAX_DEPTH}`);
  if (Array.isArray(value)) return value.map((item) => copyValue(item, depth + 1));
  const copy = emptyFields();
  for (const [key, member] of Object.entries(value) as [string, unknown][]) {
    const name = cleanText(key).trim();
    if (isFieldName(name)) copy[name] = copyValue(member, depth + 1);
  }
  return copy;
}

/** PostgreSQL keeps neither NUL nor half a surrogate pair, both of which JSON can write. */
function cleanText(text: string): string {
  return text.replace(/\0|[\ud800-\udfff]/gu, '\ufffd');
}

function isFields(value: unknown): value is MessageFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
