import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../runtime/clock.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { runInContext } from '../../runtime/request-context.js';
import { BackgroundLoop } from '../../runtime/background-loop.js';
import { Telemetry } from '../../runtime/telemetry.service.js';
import { Inbox, type InboxResult, type LeasedEvent } from './inbox.service.js';
import type { InboxEvent } from './webhook-event.entity.js';

/** What an attempt at an event came to; `failure` says what to try again. */
export interface Attempt {
  readonly result: InboxResult;
  readonly failure: string | null;
}

/** Works on an event; `earlier` is the result of the attempt before. */
type EventWork = (event: InboxEvent, earlier: InboxResult | null) => Promise<Attempt>;

const POLL_MS = 2_000;
/** Events of other replicas or of earlier that are worked on at once. */
const ROOM = 10;
/** Work that takes longer is taken for stuck and left to another attempt. */
const LONGEST_MS = 60_000;
const SHUTDOWN_MS = 5_000;

interface Running {
  readonly startedAt: number;
  readonly done: Promise<unknown>;
}

/** Works off the inbox on every replica: what was just received at once, what failed or was left behind when it is due. */
@Injectable()
export class InboxWorker implements BeforeApplicationShutdown {
  private readonly logger = new IamLogger('IamInbox');
  /** By lease token. */
  private readonly running = new Map<string, Running>();
  private work: EventWork | undefined;
  private readonly loop = new BackgroundLoop({
    work: () => this.look(),
    every: POLL_MS,
    onTrouble: (reason) => this.logger.warn(`cannot look for due events: ${reason}`),
  });
  /** There may be more due than there was room for: whoever ends makes room. */
  private isBehind = false;
  private isStopping = false;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly inbox: Inbox,
    private readonly telemetry: Telemetry,
    private readonly clock: Clock,
  ) {}

  /** Begins to look for due events, unless that is the business of other processes. */
  start(work: EventWork): void {
    this.work = work;
    if (this.options.background) this.loop.start();
  }

  /** Works on an event that the caller has leased. Never rejects; whatever failed is tried again later. */
  run(leased: LeasedEvent): Promise<InboxResult> {
    const done = this.attempt(leased).finally(() => {
      this.running.delete(leased.leaseToken);
      if (this.isBehind) this.loop.hurry();
    });
    this.running.set(leased.leaseToken, { startedAt: this.clock.elapsed(), done });
    return done;
  }

  /** Waits for what runs, and leaves what does not end in time to the other replicas. */
  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    await Promise.race([this.finishAll(), delay(SHUTDOWN_MS, undefined, { ref: false })]);
    if (this.running.size > 0) await this.inbox.release([...this.running.keys()]);
  }

  private async finishAll(): Promise<void> {
    await this.loop.stop();
    await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  /** Waits for no handler: whatever they do, the leases of the others are renewed at every poll. */
  private async look(): Promise<void> {
    const room = ROOM - (await this.renew());
    this.isBehind = room <= 0 || (await this.startDue(room)) === room;
  }

  /** How many events were due, of as many as there is room for. */
  private async startDue(room: number): Promise<number> {
    const { leased, dead } = await this.inbox.takeDue(room);
    for (const event of dead) this.reportDeadLetter(event, 'lost with its replica');
    if (this.isStopping) await this.inbox.release(leased.map(({ leaseToken }) => leaseToken));
    else for (const event of leased) runInContext(() => void this.run(event), { actor: 'wechat' });
    return leased.length + dead.length;
  }

  /** Keeps what is being worked on, but for what is stuck; the number of what is kept. */
  private async renew(): Promise<number> {
    const now = this.clock.elapsed();
    const alive = [...this.running].filter(([, { startedAt }]) => now - startedAt < LONGEST_MS);
    if (alive.length > 0) await this.inbox.renew(alive.map(([token]) => token));
    return alive.length;
  }

  private async attempt(leased: LeasedEvent): Promise<InboxResult> {
    const { result, failure } = await this.workOn(leased);
    try {
      await this.settle(leased, result, failure);
    } catch (error) {
      this.logger.warn(`${nameOf(leased.event)} is not settled and will be tried again: ${String(error)}`);
    }
    return result;
  }

  private async workOn({ event, result }: LeasedEvent): Promise<Attempt> {
    try {
      if (this.work === undefined) throw new Error('the application is still starting');
      return await this.work(event, result);
    } catch (error) {
      return { result: result ?? {}, failure: error instanceof Error ? error.message : String(error) };
    }
  }

  private async settle(leased: LeasedEvent, result: InboxResult, failure: string | null): Promise<void> {
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
