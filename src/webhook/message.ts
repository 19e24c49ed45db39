/**
 * A message or event that WeChat signed, in WeChat's own names (protocol F.5). Its own fields are text, except
 * `CreateTime`; nested values are kept as they came.
 */
export interface VerifiedEvent {
  /** The account's raw id, `gh_…`. */
  readonly ToUserName: string;
  /** The person's openid; in changes of authorization WeChat's own account. */
  readonly FromUserName: string;
  /** Unix seconds; 0 when the message names none. */
  readonly CreateTime: number;
  /** `event`, or the kind of message: `text`, `image`… */
  readonly MsgType: string;
  readonly Event?: string;
  readonly EventKey?: string;
  readonly Ticket?: string;
  readonly Content?: string;
  readonly MsgId?: string;
  /** In changes of authorization: the person whom they concern. */
  readonly OpenID?: string;
  readonly AppID?: string;
  readonly RevokeInfo?: string;
  readonly [field: string]: unknown;
}

const SCENE_PREFIX = 'qrscene_';

/** The event in a message; null for a message without `MsgType` or `Event`. */
export function toVerifiedEvent(fields: MessageFields): VerifiedEvent | null {
  const event = emptyFields();
  for (const [name, value] of Object.entries(fields)) event[name] = valueOf(name, value);
  event['CreateTime'] = secondsOf(textOf(fields, 'CreateTime'));
  for (const name of ['ToUserName', 'FromUserName', 'MsgType']) event[name] = textOf(fields, name);
  for (const name of optionalTexts) if (typeof event[name] !== 'string') Reflect.deleteProperty(event, name);
  return isEvent(event) && eventName(event) !== '' ? event : null;
}

/** The kind of event: `Event` of an event (`SCAN`, `subscribe`), `MsgType` of a message (`text`). */
export function eventName({ MsgType, Event }: VerifiedEvent): string {
  return MsgType.toLowerCase() === 'event' ? (Event ?? '') : MsgType;
}

/**
 * The scene of the QR code that was scanned; null when none was. WeChat writes `qrscene_` before it on `subscribe` only:
 * a scene that itself begins so is legal, and other keys of `subscribe` are no scenes.
 */
export function sceneOf(event: VerifiedEvent): string | null {
  const { EventKey: key = '' } = event;
  const name = eventName(event);
  if (name === 'SCAN') return key === '' ? null : key;
  return name === 'subscribe' && key.startsWith(SCENE_PREFIX) ? key.slice(SCENE_PREFIX.length) : null;
}

const optionalTexts = [
  'Event',
  'EventKey',
  'Ticket',
  'Content',
  'MsgId',
  'OpenID',
  'AppID',
  'RevokeInfo',
] as const satisfies (keyof VerifiedEvent)[];

function textOf(fields: MessageFields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

/** WeChat's own examples have blanks around the values of the envelope (protocol part 2, H.2). */
function valueOf(name: string, value: unknown): unknown {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && envelopeFields.has(name) ? text.trim() : text;
}

function secondsOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** `toVerifiedEvent` has just set these. */
function isEvent(event: Record<string, unknown>): event is Record<string, unknown> & VerifiedEvent {
  return typeof event['CreateTime'] === 'number' && typeof event['MsgType'] === 'string';
}

/** A message as WeChat wrote it: its top-level names with their values, text unless the message nests. No prototype. */
type MessageFields = Readonly<Record<string, unknown>>;

/** The fields that a parser has read. */
export interface ReadFields {
  readonly fields: MessageFields;
  /** False where the parser has repaired or left out something of the message. */
  readonly isWhole: boolean;
}

/**
 * The fields that decide whom a message concerns and what it does. WeChat writes these first, before any text of a person; where
 * such a text has broken the message, only those at its beginning count.
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

/** Fields with one text and no elements: a person has typed a second one, or an element in it. */
export const textFields: ReadonlySet<string> = new Set([
  ...envelopeFields,
  ...['Content', 'Recognition', 'Title', 'Description', 'Url', 'Label', 'MsgId', 'Encrypt'],
]);

/** WeChat nests an album's pictures three deep; anything deeper than this is kept as text. */
export const MAX_DEPTH = 5;

/** Characters that XML 1.0 cannot write, among them all that PostgreSQL cannot store: control characters, NUL, half a surrogate pair. */
export const illegible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udfff]/gu;

/**
 * Collects names and texts. Illegible characters are replaced, never dropped: without one, `o1\0` would be the openid
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

  /** The name of a field; null for one that is not WeChat's, such as `__proto__`. */
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
