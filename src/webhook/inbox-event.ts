import { sha256 } from '../crypto/hash.js';
import type { InboxEvent } from './inbox/webhook-event.entity.js';
import { isRecord } from '../errors/unknown.js';
import { eventName, type VerifiedEvent } from './message.js';
import type { VerifiedPush } from './verify-push.js';
import { hashOf, type Scenes } from './scenes.service.js';

/** Openids have 28 characters; a longer text than this is none. */
const MAX_OPENID = 128;

/** Where and when a push came in. */
interface Arrival {
  /** Slug of the provider row. */
  readonly provider: string;
  /** Milliseconds since the Unix epoch; stands in for a missing `CreateTime`. */
  readonly receivedAt: number;
  readonly scenes: Pick<Scenes, 'hide'>;
}

/** How the inbox keeps a verified event. */
export function toInboxEvent(push: VerifiedPush, event: VerifiedEvent, arrival: Arrival): InboxEvent {
  return {
    provider: arrival.provider,
    dedupeKey: dedupeKeyOf(push, { ...push.fields, ...event }),
    event: shortened(eventName(event)),
    openid: personOf(event),
    eventAt: eventTime(event, arrival.receivedAt),
    message: withoutScene(event, arrival.scenes),
    replayKey: replayKeyOf(push),
  };
}

/** How the inbox keeps a push that is no event: as it came. */
export function toDeadLetter(push: VerifiedPush, { provider, receivedAt, scenes }: Arrival): InboxEvent {
  const text = Buffer.from(push.bytes).toString('latin1');
  return {
    provider,
    dedupeKey: dedupeKeyOf({ ...push, isWhole: false }, push.fields),
    event: 'unreadable',
    openid: null,
    eventAt: new Date(receivedAt),
    message: {},
    raw: Buffer.from(withoutSceneInText(text, scenes), 'latin1'),
    replayKey: replayKeyOf(push),
  };
}

/** Changes of authorization come from an account of WeChat's and name the person in `OpenID` (protocol F.5). */
export function isAuthorizationChange(event: VerifiedEvent): boolean {
  return /^user_(authorization|info)_/.test(eventName(event));
}

/**
 * A hash of the whole message: by WeChat's advice, `MsgId` or sender and second, two events of one second would be one. WeChat signs and
 * encrypts a repetition anew, so nothing around the message counts, nor does the order of its fields. A message that the
 * parser has repaired counts by its bytes. The provider does not count: an app has one server URL, even with several rows.
 * The day of `CreateTime`, which a repetition shares, chooses the partition; without it, or in plain mode, the undated one.
 */
function dedupeKeyOf(
  { appid, bytes, isWhole, replayKey }: VerifiedPush,
  message: Readonly<Record<string, unknown>>,
): string {
  const hash = sha256(canonical(['message', appid, message, isWhole ? '' : sha256(bytes)]));
  const { CreateTime: seconds } = message;
  const isDated = replayKey === null && typeof seconds === 'number' && isTime(seconds);
  return isDated ? `~${new Date(seconds * 1000).toISOString().slice(0, 10)}:${hash}` : hash;
}

/** JSON with sorted names and all values as text: XML knows nothing else. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(isScalar(value) ? String(value) : '');
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function replayKeyOf({ appid, replayKey }: VerifiedPush): string | null {
  return replayKey === null ? null : sha256(`${appid}:${replayKey}`);
}

/** Cut between characters: PostgreSQL cannot store half a surrogate pair. */
function shortened(name: string): string {
  return name.slice(0, 64).replace(/[\ud800-\udbff]$/, '');
}

/** The openid of the person whom the event concerns. */
function personOf(event: VerifiedEvent): string | null {
  const openid = isAuthorizationChange(event) ? event.OpenID?.trim() : event.FromUserName;
  return openid === undefined || openid === '' || openid.length > MAX_OPENID ? null : openid;
}

function eventTime({ CreateTime: seconds }: VerifiedEvent, receivedAt: number): Date {
  return new Date(isTime(seconds) ? seconds * 1000 : receivedAt);
}

function isTime(seconds: number): boolean {
  return seconds > 0 && seconds < 100_000_000_000;
}

/** A reader of the inbox could post a scan of a login QR code by its scene. */
function withoutScene(event: VerifiedEvent, scenes: Arrival['scenes']): Readonly<Record<string, unknown>> {
  const text = JSON.stringify(event);
  const hidden = scenes.hide(text);
  if (hidden === text) return event;
  const message: unknown = JSON.parse(hidden);
  return {
    ...(isRecord(message) && message),
    ...(event.Ticket !== undefined && { Ticket: hashOf(event.Ticket) }),
  };
}

/** The same for a push that cannot be read. */
function withoutSceneInText(text: string, scenes: Arrival['scenes']): string {
  const hidden = scenes.hide(text);
  return hidden === text
    ? text
    : hidden.replace(
        /(Ticket(?:\W|CDATA){1,32})([\w+/=%-]{8,})/g,
        (_all, name: string, ticket: string) => name + hashOf(ticket),
      );
}
