import { sha256 } from '../crypto/hash.js';
import type { InboxEvent } from '../inbox/inbox-statements.js';
import { eventName, type VerifiedEvent } from './verified-event.js';

/** Openids have 28 characters; what is longer than this names nobody. */
const MAX_OPENID = 128;

/** Where and how an event arrived. */
export interface Arrival {
  /** Slug of the row whose webhook received it. */
  readonly provider: string;
  /** The app it was sent to. */
  readonly appid: string;
  readonly replayKey: string | null;
  /** Milliseconds; stands in for a `CreateTime` that is none. */
  readonly receivedAt: number;
}

/**
 * How the inbox keeps a verified event. What makes it one event goes by the app, not by the row: an app has one server URL,
 * and a push that somebody recorded would count again at each further row of the app.
 */
export function toInboxEvent(
  event: VerifiedEvent,
  { provider, appid, replayKey, receivedAt }: Arrival,
): InboxEvent {
  return {
    provider,
    dedupeKey: sha256(JSON.stringify([appid, ...identityOf(event)])),
    event: eventName(event).slice(0, 64),
    openid: personOf(event),
    eventAt: eventTime(event, receivedAt),
    message: event,
    replayKey: replayKey === null ? null : sha256(`${appid}:${replayKey}`),
  };
}

/** Changes of authorization come from an account of WeChat's and name the person in `OpenID` (protocol F.5). */
export function isAuthorizationChange(event: VerifiedEvent): boolean {
  return /^user_(authorization|info)_/.test(eventName(event));
}

/** Whom the event concerns. */
function personOf(event: VerifiedEvent): string | null {
  const openid = isAuthorizationChange(event) ? event.OpenID : event.FromUserName;
  return openid === undefined || openid === '' || openid.length > MAX_OPENID ? null : openid;
}

/** What tells events apart. WeChat's advice, sender and second, takes two events of one second for one. */
function identityOf(event: VerifiedEvent): unknown[] {
  const { FromUserName: from, CreateTime: time, MsgId: id } = event;
  if (id !== undefined && id !== '') return ['message', id, from, time];
  if (isAuthorizationChange(event))
    return ['authorization', event.OpenID, eventName(event), time, event.AppID, event.RevokeInfo];
  return ['event', from, time, eventName(event), event.EventKey, event.Ticket, event['MsgID']];
}

function eventTime({ CreateTime: seconds }: VerifiedEvent, receivedAt: number): Date {
  const inRange = Number.isSafeInteger(seconds) && seconds > 0 && seconds < 100_000_000_000;
  return new Date(inRange ? seconds * 1000 : receivedAt);
}
