import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { InboxEvent } from './inbox/webhook-event.entity.js';
import { type PassiveReply, toPassiveReply } from './passive-reply.js';
import { type VerifiedEvent, eventName, toVerifiedEvent } from './message.js';
import { Clock } from '../runtime/clock.js';
import { execute, sql } from '../database/sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { InboxWorker, type Attempt } from './inbox/inbox-worker.service.js';
import { Inbox, type InboxResult } from './inbox/inbox.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { noteFollowingSql, type FollowChange } from '../users/identity-data.js';
import { EventHandlers } from './event-handlers.service.js';
import { isAuthorizationChange } from './inbox-event.js';
import { parseMessage } from './parse-message.js';

/** What an event of ours is answered with; null is a bare `success`. */
export interface BuiltInEventOutcome {
  readonly reply: PassiveReply | null;
}

/** Takes the events that belong to a sign-in: the scan of a QR code of ours, the number typed in the chat. */
export interface BuiltInEventHandler {
  /**
   * Commits the inbox row and the event's effect in one statement; a delivery that comes again is answered alike.
   * Null: the event is not ours and nothing was written.
   */
  accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    inboxEvent: InboxEvent,
  ): Promise<BuiltInEventOutcome | null>;
}

/** WeChat gives up after five seconds; the way there and back takes some of them. */
const ANSWER_WITHIN_MS = 4_000;

const UNREADABLE = 'the message cannot be read, or names neither an event nor a kind of message';

/** An event as it came in. */
interface ReceivedEvent {
  readonly provider: IdentityProvider;
  readonly event: VerifiedEvent;
  /** The app it was sent to. */
  readonly appid: string;
  readonly stored: InboxEvent;
  /** When the request came, by `Clock.elapsed`. */
  readonly arrivedAt: number;
}

/** Commits an event, has it worked on, and gives the reply if there is one in time. */
@Injectable()
export class EventIntake implements OnApplicationBootstrap {
  private readonly logger = new IamLogger('IamWebhook');
  private readonly builtIn: BuiltInEventHandler[] = [];

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly inbox: Inbox,
    private readonly worker: InboxWorker,
    private readonly handlers: EventHandlers,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {}

  onApplicationBootstrap(): void {
    this.worker.start((event, earlier) => this.workOn(event, earlier));
  }

  /** Has a way of signing in see the account's events before the host's handlers do: its provider calls this at start. */
  register(handler: BuiltInEventHandler): void {
    this.builtIn.push(handler);
  }

  /** Returns once the event is committed and, where a reply may be shown, worked on or out of time. */
  async accept(received: ReceivedEvent): Promise<PassiveReply | null> {
    const { provider, event, appid, stored } = received;
    const change = followChangeOf(received);
    const isOfAccount = appid === provider.mp?.appid;
    const own = isOfAccount ? await this.acceptBuiltIn(received) : null;
    if (own !== null) {
      if (change !== null) await this.noteFollowing(change);
      return own.reply;
    }
    const effect = change === null ? undefined : noteFollowingSql(change, sql`inserted`);
    if (!this.handlers.has(provider.slug, event)) {
      await this.inbox.keep(stored, effect);
      return null;
    }
    const intake = await this.inbox.take(stored, effect);
    if (intake.kind === 'duplicate') return replyIn(intake.result);
    const run = this.worker.run(intake.leased);
    return takesReply(event) ? this.inTime(run, received) : null;
  }

  private async acceptBuiltIn({
    provider,
    event,
    stored,
  }: ReceivedEvent): Promise<BuiltInEventOutcome | null> {
    for (const handler of this.builtIn) {
      const outcome = await handler.accept(provider, event, stored);
      if (outcome !== null) return outcome;
    }
    return null;
  }

  /** Commits a push that is no event as given up, so that nothing WeChat has sent is lost. */
  async bury(stored: InboxEvent): Promise<void> {
    if (!(await this.inbox.bury(stored, UNREADABLE))) return;
    this.telemetry.webhookEvent(stored.provider, 'dead');
    this.logger.error(`"${stored.provider}": a push is kept as it came (${stored.dedupeKey}): ${UNREADABLE}`);
  }

  /** Past its time an event is worked on as before, but nothing that comes of it can be shown in the chat. */
  private async inTime(
    run: Promise<InboxResult>,
    { stored, arrivedAt }: ReceivedEvent,
  ): Promise<PassiveReply | null> {
    const timer = new AbortController();
    const remaining = Math.max(0, arrivedAt + ANSWER_WITHIN_MS - this.clock.elapsed());
    const late = delay(remaining, null, { signal: timer.signal, ref: false }).catch(() => null);
    const result = await Promise.race([run, late]);
    timer.abort();
    if (result === null)
      this.logger.warn(`handlers of ${stored.event} are late: WeChat gets an answer without reply`);
    return replyIn(result);
  }

  private async workOn(stored: InboxEvent, earlier: InboxResult | null): Promise<Attempt> {
    const event = toVerifiedEvent(stored.raw == null ? stored.message : parseMessage(stored.raw).fields);
    if (event === null) return { result: earlier ?? {}, failure: UNREADABLE };
    const finished = Array.isArray(earlier?.['finished']) ? earlier['finished'].map(String) : [];
    const context = { provider: stored.provider, at: stored.eventAt };
    const outcome = await this.handlers.run(event, context, finished);
    const result = { reply: replyIn(earlier) ?? outcome.reply, finished: outcome.finished };
    return { result, failure: outcome.failure };
  }

  /** With an event of ours the state of following is written after it: the sign-in does not depend on it. */
  private async noteFollowing(change: FollowChange): Promise<void> {
    await execute(this.dataSource, noteFollowingSql(change));
  }
}

function followChangeOf({ event, appid, stored }: ReceivedEvent): FollowChange | null {
  const name = eventName(event);
  if (stored.openid === null || (name !== 'subscribe' && name !== 'unsubscribe')) return null;
  return { appid, openid: stored.openid, follows: name === 'subscribe', at: stored.eventAt };
}

/** Nobody reads an answer to these: they need not wait for their handlers. */
function takesReply(event: VerifiedEvent): boolean {
  return eventName(event) !== 'unsubscribe' && !isAuthorizationChange(event);
}

function replyIn(result: InboxResult | null): PassiveReply | null {
  return toPassiveReply(result?.['reply']);
}
