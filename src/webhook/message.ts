/**
 * A message or event that WeChat signed, in WeChat's own names (protocol F.5). What it says of itself is text, except
 * `CreateTime`; what it nests is kept as it came.
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
  /** In changes of authorization: whom they concern. */
  readonly OpenID?: string;
  readonly AppID?: string;
  readonly RevokeInfo?: string;
  readonly [field: string]: unknown;
}

const SCENE_PREFIX = 'qrscene_';

/** The event in a message; null for a message that says neither what it is nor what happened. */
export function toVerifiedEvent(fields: MessageFields): VerifiedEvent | null {
  const event = emptyFields();
  for (const [name, value] of Object.entries(fields)) event[name] = valueOf(name, value);
  event['CreateTime'] = secondsOf(textOf(fields, 'CreateTime'));
  for (const name of ['ToUserName', 'FromUserName', 'MsgType']) event[name] = textOf(fields, name);
  for (const name of optionalTexts) if (typeof event[name] !== 'string') Reflect.deleteProperty(event, name);
  return isEvent(event) && eventName(event) !== '' ? event : null;
}

/** What happened: `Event` of an event (`SCAN`, `subscribe`), `MsgType` of a message (`text`). */
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

/** What `toVerifiedEvent` has just made sure of. */
function isEvent(event: Record<string, unknown>): event is Record<string, unknown> & VerifiedEvent {
  return typeof event['CreateTime'] === 'number' && typeof event['MsgType'] === 'string';
}

/** A message as WeChat wrote it: its top-level names with their values, text unless the message nests. No prototype. */
type MessageFields = Readonly<Record<string, unknown>>;

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
