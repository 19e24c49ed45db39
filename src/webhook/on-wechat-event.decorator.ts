import type { PassiveReply } from './passive-reply.js';
import type { VerifiedEvent } from './message.js';

/** Which events a handler wants. */
export interface OnWechatEventOptions {
  /** Slug of the one provider row whose events these are. @default every row's */
  readonly provider?: string;
}

/** The events of one decoration. */
export interface EventInterest extends OnWechatEventOptions {
  readonly name: string;
}

/** By the prototype that has the method, and its name: a decorator that wraps the method does not hide it. */
const interests = new WeakMap<object, Map<string | symbol, EventInterest[]>>();

/**
 * Marks a method of any provider or controller of the host as a handler of the Official Account's events and messages that
 * are not part of a sign-in: `@OnWechatEvent('subscribe')`, `'text'`, `'*'`. It may return a `PassiveReply` within about four seconds.
 * It is called at least once for each event: again when it threw, or when the process ended before it had.
 */
export function OnWechatEvent<K extends WechatEventName>(name: K, options: OnWechatEventOptions = {}) {
  return <T extends WechatEventHandler<K>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => {
    if (descriptor.value === undefined) throw new TypeError(`@OnWechatEvent('${name}'): expected a method`);
    const methods = interests.get(target) ?? new Map<string | symbol, EventInterest[]>();
    interests.set(target, methods.set(key, [...(methods.get(key) ?? []), { name, ...options }]));
  };
}

/** The decorations of a method, from the class that defines it. */
export function findInterests(prototype: object, key: string): readonly EventInterest[] {
  for (let owner: object | null = prototype; owner !== null; owner = parentOf(owner))
    if (Object.hasOwn(owner, key)) return interests.get(owner)?.get(key) ?? [];
  return [];
}

function parentOf(prototype: object): object | null {
  const parent: unknown = Object.getPrototypeOf(prototype);
  return typeof parent === 'object' ? parent : null;
}

interface Message {
  readonly MsgId: string;
}

/** The fields of each event and message in addition to the common ones (protocol F.5); WeChat's numbers are text. */
export interface WechatEvents {
  readonly text: Message & { readonly Content: string };
  readonly image: Message & { readonly PicUrl: string; readonly MediaId: string };
  readonly voice: Message & { readonly MediaId: string; readonly Format: string };
  readonly video: Message & { readonly MediaId: string; readonly ThumbMediaId: string };
  readonly shortvideo: Message & { readonly MediaId: string; readonly ThumbMediaId: string };
  readonly location: Message & {
    readonly Location_X: string;
    readonly Location_Y: string;
    readonly Scale: string;
    readonly Label: string;
  };
  readonly link: Message & { readonly Title: string; readonly Description: string; readonly Url: string };
  /** `EventKey` is `qrscene_…` after the scan of a QR code with a scene. */
  readonly subscribe: { readonly EventKey?: string; readonly Ticket?: string };
  readonly unsubscribe: object;
  /** A follower scanned a QR code with a scene, which is the `EventKey` itself. */
  readonly SCAN: { readonly EventKey: string; readonly Ticket: string };
  readonly LOCATION: { readonly Latitude: string; readonly Longitude: string; readonly Precision: string };
  readonly CLICK: { readonly EventKey: string };
  readonly VIEW: { readonly EventKey: string };
  readonly TEMPLATESENDJOBFINISH: { readonly MsgID: string; readonly Status: string };
  readonly user_info_modified: AuthorizationChange;
  readonly user_authorization_revoke: AuthorizationChange;
  readonly user_authorization_cancellation: AuthorizationChange;
}

/** The person is in `OpenID`, not in `FromUserName`. */
interface AuthorizationChange {
  readonly OpenID?: string;
  readonly AppID?: string;
  readonly RevokeInfo?: string;
}

/** An event that is known by type, any other of WeChat's, or `*` for every one. */
export type WechatEventName = keyof WechatEvents | '*' | (string & Record<never, never>);

/** The event of that name. */
export type WechatEvent<K extends string = string> = VerifiedEvent &
  (K extends keyof WechatEvents ? WechatEvents[K] : unknown);

/** The circumstances of an event. */
export interface WechatEventContext {
  /** Slug of the provider row whose webhook received it. */
  readonly provider: string;
  /** When it happened: WeChat's `CreateTime`, else when it was received. An event may come late, or be replayed. */
  readonly at: Date;
}

/** A method that handles an event. The chat shows the reply that it returns in time. */
export type WechatEventHandler<K extends string> = (
  event: WechatEvent<K>,
  context: WechatEventContext,
) => WechatEventAnswer | Promise<WechatEventAnswer>;

/** A handler without a reply may return nothing. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type
export type WechatEventAnswer = PassiveReply | null | undefined | void;
