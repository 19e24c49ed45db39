import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../../runtime/clock.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { runInContext } from '../../runtime/request-context.js';
import { BackgroundLoop } from '../../runtime/background-loop.js';
import { Telemetry } from '../../runtime/telemetry.service.js';
import { EventHandlers } from '../event-handlers.service.js';
import { toVerifiedEvent } from '../message.js';
import { parseMessage } from '../parse-message.js';
import { type PassiveReply, toPassiveReply } from '../passive-reply.js';
import { Inbox, type InboxResult, type LeasedEvent } from './inbox.service.js';
import type { InboxEvent } from './webhook-event.entity.js';

/** Why a push is a dead letter from the start. */
export const UNREADABLE = 'the message cannot be read, or names neither an event nor a kind of message';

const POLL_MS = 2_000;
/** Due events that are processed concurrently. */
const ROOM = 10;
/** A handler that takes longer counts as stuck: its lease is not renewed. */
const LONGEST_MS = 60_000;
const SHUTDOWN_MS = 5_000;

/** Processes the inbox on every replica: new events at once, failed and abandoned ones when they are due. */
@Injectable()
export class InboxWorker implements OnApplicationBootstrap {
  private readonly logger = new IamLogger('IamInbox');
  /** By lease token. */
  private readonly running = new Map<
    string,
    { readonly startedAt: number; readonly done: Promise<unknown> }
  >();
  private readonly loop = new BackgroundLoop({
    work: () => this.poll(),
    every: POLL_MS,
    onTrouble: (reason) => this.logger.warn(`cannot look for due events: ${reason}`),
  });
  /** More events may be due than there was room for: the next end of an event makes the loop hurry. */
  private isBehind = false;
  private isStopping = false;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly inbox: Inbox,
    private readonly handlers: EventHandlers,
    private readonly telemetry: Telemetry,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    if (this.options.background) this.loop.start();
  }

  /** Processes an event that the caller has leased. Never rejects; a failed event is tried again later. */
  run(leased: LeasedEvent): Promise<InboxResult> {
    const done = this.attempt(leased).finally(() => {
      this.running.delete(leased.leaseToken);
      if (this.isBehind) this.loop.hurry();
    });
    this.running.set(leased.leaseToken, { startedAt: this.clock.elapsed(), done });
    return done;
  }

  /** For `IamBackgroundModule`: waits for running events, and leaves those that do not end in time to the other replicas. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.race([this.finishAll(), delay(SHUTDOWN_MS, undefined, { ref: false })]);
    if (this.running.size > 0) await this.inbox.release([...this.running.keys()]);
  }

  private async finishAll(): Promise<void> {
    await this.loop.stop();
    await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  /** Waits for no handler, so that leases are renewed at every poll. */
  private async poll(): Promise<void> {
    const room = ROOM - (await this.renew());
    this.isBehind = room <= 0 || (await this.startDue(room)) === room;
  }

  /** The number of events that were due, up to `room`. */
  private async startDue(room: number): Promise<number> {
    const { leased, dead } = await this.inbox.takeDue(room);
    for (const event of dead) this.reportDeadLetter(event, 'lost with its replica');
    if (this.isStopping) await this.inbox.release(leased.map(({ leaseToken }) => leaseToken));
    else for (const event of leased) runInContext(() => void this.run(event), { actor: 'wechat' });
    return leased.length + dead.length;
  }

  /** Renews the leases of all but stuck events; returns their number. */
  private async renew(): Promise<number> {
    const now = this.clock.elapsed();
    const alive = [...this.running].filter(([, { startedAt }]) => now - startedAt < LONGEST_MS);
    if (alive.length > 0) await this.inbox.renew(alive.map(([token]) => token));
    return alive.length;
  }

  private async attempt(leased: LeasedEvent): Promise<InboxResult> {
    const { failure, ...result } = await this.callHandlers(leased);
    try {
      await this.record(leased, result, failure);
    } catch (error) {
      this.logger.warn(
        `${nameOf(leased.event)} could not be recorded and will be tried again: ${String(error)}`,
      );
    }
    return result;
  }

  private async callHandlers({ event: stored, result: earlier }: LeasedEvent) {
    const event = toVerifiedEvent(stored.raw == null ? stored.message : parseMessage(stored.raw).fields);
    if (event === null) return { ...earlier, failure: UNREADABLE };
    const finished = Array.isArray(earlier?.['finished']) ? earlier['finished'].map(String) : [];
    const context = { provider: stored.provider, at: stored.eventAt };
    const outcome = await this.handlers.run(event, context, finished);
    return { ...outcome, reply: replyIn(earlier) ?? outcome.reply };
  }

  private async record(leased: LeasedEvent, result: InboxResult, failure: string | null): Promise<void> {
    if (failure === null) {
      this.telemetry.webhookEvent(leased.event.provider, 'done');
      const isOurs = await this.inbox.finish(leased, result);
      if (!isOurs) this.logger.warn(`${nameOf(leased.event)} took so long that another replica has it`);
      return;
    }
    this.telemetry.webhookEvent(leased.event.provider, 'failed');
    const status = await this.inbox.fail(leased, result, failure);
    if (status === 'dead') this.reportDeadLetter(leased.event, failure);
    else this.logger.warn(`${nameOf(leased.event)} failed and will be tried again: ${failure}`);
  }

  private reportDeadLetter(event: InboxEvent, reason: string): void {
    this.telemetry.webhookEvent(event.provider, 'dead');
    this.logger.error(`${nameOf(event)} was given up after the last attempt: ${reason}`);
  }
}

function nameOf({ provider, event, dedupeKey }: InboxEvent): string {
  return `webhook event ${event} of ${provider} (${dedupeKey})`;
}

/** The reply that a result holds. */
export function replyIn(result: InboxResult | null): PassiveReply | null {
  return toPassiveReply(result?.['reply']);
}
