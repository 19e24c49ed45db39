import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { InboxEvent } from './inbox/webhook-event.entity.js';
import type { PassiveReply } from './passive-reply.js';
import { type VerifiedEvent, eventName } from './message.js';
import { Clock } from '../runtime/clock.js';
import { sql, type Sql } from '../database/sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { InboxWorker, replyIn, UNREADABLE } from './inbox/inbox-worker.service.js';
import { Inbox, type InboxResult } from './inbox/inbox.service.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { noteFollowingSql, type FollowChange } from '../users/identity-data.js';
import { EventHandlers } from './event-handlers.service.js';
import { isAuthorizationChange } from './inbox-event.js';

/** Handles the events of a way of signing in: the scan of its QR code, the number typed in the chat. */
export interface BuiltInEventHandler {
  /**
   * Commits the inbox row, the event's effect and `effect`, which reads from the CTE `inserted`, in one statement; a repeated
   * delivery gets the same reply.
   * Null: the event belongs to no sign-in, and nothing was written.
   */
  accept(
    provider: IdentityProvider,
    event: VerifiedEvent,
    inboxEvent: InboxEvent,
    effect: Sql | undefined,
  ): Promise<PassiveReply | null>;
}

/** WeChat stops waiting after five seconds; the network takes some of them. */
const REPLY_WITHIN_MS = 4_000;

/** A verified event on its way into the inbox. */
interface ReceivedEvent {
  readonly provider: IdentityProvider;
  readonly event: VerifiedEvent;
  /** The app it was sent to. */
  readonly appid: string;
  readonly stored: InboxEvent;
  /** When the request came, by `Clock.elapsed`. */
  readonly arrivedAt: number;
}

/** Commits an event, runs its handlers, and returns the reply if there is one in time. */
@Injectable()
export class EventIntake {
  private readonly logger = new IamLogger('IamWebhook');
  private readonly builtIn: BuiltInEventHandler[] = [];

  constructor(
    private readonly inbox: Inbox,
    private readonly worker: InboxWorker,
    private readonly handlers: EventHandlers,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {}

  /** Adds a handler that sees the account's events before the host's handlers do; a way of signing in calls this at start. */
  register(handler: BuiltInEventHandler): void {
    this.builtIn.push(handler);
  }

  /** Returns once the event is committed and, if the chat can show a reply, its handlers have ended or are out of time. */
  async accept(received: ReceivedEvent): Promise<PassiveReply | null> {
    const { provider, event, appid, stored } = received;
    const change = followChangeOf(received);
    const effect = change === null ? undefined : noteFollowingSql(change, sql`inserted`);
    const own = appid === provider.mp?.appid ? await this.acceptBuiltIn(received, effect) : null;
    if (own !== null) return own;
    if (!this.handlers.has(provider.slug, event)) {
      await this.inbox.keep(stored, effect);
      return null;
    }
    const intake = await this.inbox.take(stored, effect);
    if (intake.kind === 'duplicate') return replyIn(intake.result);
    const run = this.worker.run(intake.leased);
    return takesReply(event) ? this.inTime(run, received) : null;
  }

  private async acceptBuiltIn(
    { provider, event, stored }: ReceivedEvent,
    effect: Sql | undefined,
  ): Promise<PassiveReply | null> {
    for (const handler of this.builtIn) {
      const reply = await handler.accept(provider, event, stored, effect);
      if (reply !== null) return reply;
    }
    return null;
  }

  /** Commits a push that is no event as a dead letter, so that it is not lost. */
  async bury(stored: InboxEvent): Promise<void> {
    if (!(await this.inbox.bury(stored, UNREADABLE))) return;
    this.telemetry.webhookEvent(stored.provider, 'dead');
    this.logger.error(`"${stored.provider}": a push is kept as it came (${stored.dedupeKey}): ${UNREADABLE}`);
  }

  /** Out of time the handlers go on, but the chat cannot show their reply. */
  private async inTime(
    run: Promise<InboxResult>,
    { stored, arrivedAt }: ReceivedEvent,
  ): Promise<PassiveReply | null> {
    const timer = new AbortController();
    const remaining = Math.max(0, arrivedAt + REPLY_WITHIN_MS - this.clock.elapsed());
    const late = delay(remaining, null, { signal: timer.signal, ref: false }).catch(() => null);
    const result = await Promise.race([run, late]);
    timer.abort();
    if (result === null)
      this.logger.warn(`handlers of ${stored.event} are late: WeChat gets a response without reply`);
    return replyIn(result);
  }
}

function followChangeOf({ event, appid, stored }: ReceivedEvent): FollowChange | null {
  const name = eventName(event);
  if (stored.openid === null || (name !== 'subscribe' && name !== 'unsubscribe')) return null;
  return { appid, openid: stored.openid, follows: name === 'subscribe', at: stored.eventAt };
}

/** False for events whose reply no chat shows: their response does not wait for the handlers. */
function takesReply(event: VerifiedEvent): boolean {
  return eventName(event) !== 'unsubscribe' && !isAuthorizationChange(event);
}
