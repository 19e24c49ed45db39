/** A message as WeChat wrote it: its top-level names with their values, text unless the message nests. No prototype. */
export type MessageFields = Readonly<Record<string, unknown>>;

/** What a reader made of a message. */
export interface ReadFields {
  readonly fields: MessageFields;
  /** False where the message says more than `fields`, or says it differently: something was repaired or left out. */
  readonly isWhole: boolean;
}

/**
 * What decides whom a message concerns and what it does. WeChat writes these first, before any text of a person's, so where
 * such a text has broken the message only those at its beginning count.
 */
export const envelopeFields: ReadonlySet<string> = new Set([
  'ToUserName',
  'FromUserName',
  'CreateTime',
  'MsgType',
  'Event',
  'EventKey',
  'Ticket',
  'OpenID',
  'UnionID',
  'AppID',
  'RevokeInfo',
]);

/** What holds one text and never elements: a second one, or an element in it, was typed by a person. */
export const textFields: ReadonlySet<string> = new Set([
  ...envelopeFields,
  ...['Content', 'Recognition', 'Title', 'Description', 'Url', 'Label', 'MsgId', 'Encrypt'],
]);

/** WeChat nests an album's pictures three deep; what is deeper than this is kept as text. */
export const MAX_DEPTH = 5;

/** What XML 1.0 cannot write, and with it all that PostgreSQL cannot keep: control characters, NUL, half a surrogate pair. */
export const illegible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udfff]/gu;

/**
 * Collects what a reader finds. Illegible characters are replaced, never dropped: without one, `o1\0` would be the openid
 * `o1`.
 */
export class FieldCollector {
  /** See `ReadFields`. */
  isWhole = true;

  text(raw: string): string {
    const text = raw.replace(illegible, '\ufffd');
    if (text.includes('\ufffd')) this.isWhole = false;
    return text;
  }

  /** The name to keep a value under; null for what names nothing of WeChat's, such as `__proto__`. */
  name(raw: string): string | null {
    const name = raw.trim();
    if (/^[A-Za-z][^\p{Cc}\p{Cs}]*$/u.test(name)) return name;
    this.isWhole = false;
    return null;
  }
}

/** An object that inherits nothing, so that no name in it can mean anything but itself. */
export function emptyFields(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}
