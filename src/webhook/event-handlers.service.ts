import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { IamLogger } from '../runtime/iam-logger.js';
import { isRecord, reasonOf } from '../errors/unknown.js';
import { findInterests, type EventInterest, type WechatEventContext } from './on-wechat-event.decorator.js';
import { toPassiveReply } from './passive-reply.js';
import { eventName, type VerifiedEvent } from './message.js';

interface Handler {
  readonly name: string;
  readonly interest: EventInterest;
  readonly call: (event: VerifiedEvent, context: WechatEventContext) => unknown;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** The methods that `@OnWechatEvent` marks, the module's and the host's. */
@Injectable()
export class EventHandlers implements OnApplicationBootstrap {
  private readonly logger = new IamLogger('IamWebhook');
  private handlers: readonly Handler[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onApplicationBootstrap(): void {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    const seen = new Set<unknown>();
    const handlers = wrappers.flatMap((wrapper) => {
      const instance: unknown = wrapper.instance;
      const isAlias = isRecord(instance) && seen.has(instance);
      seen.add(instance);
      return isAlias ? [] : this.handlersOf(wrapper);
    });
    this.handlers = withUniqueNames(handlers);
  }

  /** True when there is a handler for this event. */
  has(provider: string, event: VerifiedEvent): boolean {
    return this.handlers.some(({ interest }) => isWanted(interest, provider, event));
  }

  /**
   * Calls the handlers of an event that are not among `earlier`, all at once. The first reply counts, by their order. Never rejects:
   * `failure` is null where all have finished.
   */
  async run(event: VerifiedEvent, context: WechatEventContext, earlier: readonly string[]) {
    const due = this.handlers.filter(
      ({ name, interest }) => isWanted(interest, context.provider, event) && !earlier.includes(name),
    );
    const ends = await Promise.all(due.map((handler) => this.call(handler, event, context)));
    const failures = ends.flatMap(({ name, failure }) => (failure === null ? [] : [`${name}: ${failure}`]));
    const finished = [...earlier, ...ends.flatMap(({ name, failure }) => (failure === null ? [name] : []))];
    const reply = ends.find((end) => end.reply !== null)?.reply ?? null;
    return { reply, finished, failure: failures.length === 0 ? null : failures.join('; ') };
  }

  private async call({ name, call }: Handler, event: VerifiedEvent, context: WechatEventContext) {
    try {
      const returned = await call(event, context);
      const reply = toPassiveReply(returned);
      if (reply === null && returned !== undefined && returned !== null)
        this.logger.warn(`${name} returned something that is no PassiveReply`);
      return { name, reply, failure: null };
    } catch (error) {
      this.logger.error(`${name} failed`, error instanceof Error ? error.stack : String(error));
      return { name, reply: null, failure: reasonOf(error) };
    }
  }

  private handlersOf(wrapper: Wrapper): Handler[] {
    const instance: unknown = wrapper.instance;
    const prototype = prototypeOf(wrapper, instance);
    if (prototype === null) return [];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const wanted = findInterests(prototype, method);
      const name = `${String(wrapper.name)}.${method}`;
      if (wanted.length > 0 && (!isRecord(instance) || !wrapper.isDependencyTreeStatic())) {
        this.logger.error(`${name} is not told of events: its class is not a singleton`);
        return [];
      }
      const call: Handler['call'] = (...args) => callMethod(instance, method, args);
      return wanted.map((interest) => ({ name: `${name}(${interest.name})`, interest, call }));
    });
  }
}

/** Of two classes with one name the later gets a number, the same on every replica: else one would count as the other. */
function withUniqueNames(handlers: readonly Handler[]): Handler[] {
  const seen = new Map<string, number>();
  return handlers.map((handler) => {
    const count = (seen.get(handler.name) ?? 0) + 1;
    seen.set(handler.name, count);
    return count === 1 ? handler : { ...handler, name: `${handler.name}#${count}` };
  });
}

function isWanted({ name, provider }: EventInterest, slug: string, event: VerifiedEvent): boolean {
  return (name === '*' || name === eventName(event)) && (provider === undefined || provider === slug);
}

/** A request-scoped class has no instance yet. */
function prototypeOf({ metatype }: Wrapper, instance: unknown): object | null {
  const prototype: unknown = isRecord(instance)
    ? Object.getPrototypeOf(instance)
    : typeof metatype === 'function'
      ? metatype.prototype
      : null;
  return isRecord(prototype) ? prototype : null;
}

function callMethod(instance: unknown, method: string, args: unknown[]): unknown {
  if (!isRecord(instance)) return undefined;
  const implementation: unknown = Reflect.get(instance, method);
  return typeof implementation === 'function' ? Reflect.apply(implementation, instance, args) : undefined;
}
