import type { WechatEventHandler, WechatEventName } from './wechat-events.js';

/** Which events a handler wants. */
export interface OnWechatEventOptions {
  /** Slug of the one provider row whose events these are. @default every row's */
  readonly provider?: string;
}

/** What a decorated method asked for. */
export interface EventInterest extends OnWechatEventOptions {
  readonly name: string;
}

/** By the prototype that has the method, and its name: a decorator that wraps the method does not hide it. */
const interests = new WeakMap<object, Map<string | symbol, EventInterest[]>>();

/**
 * Tells a method of any provider or controller of the host of the Official Account's events and messages that are not part
 * of a sign-in: `@OnWechatEvent('subscribe')`, `'text'`, `'*'`. It may return a `PassiveReply` within about four seconds.
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

/** What a class's method was decorated with, in the class that defines it. */
export function findInterests(prototype: object, key: string): readonly EventInterest[] {
  for (let owner: object | null = prototype; owner !== null; owner = parentOf(owner))
    if (Object.hasOwn(owner, key)) return interests.get(owner)?.get(key) ?? [];
  return [];
}

function parentOf(prototype: object): object | null {
  const parent: unknown = Object.getPrototypeOf(prototype);
  return typeof parent === 'object' ? parent : null;
}
