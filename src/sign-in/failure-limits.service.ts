import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { recordRefusal } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import {
  RateLimits,
  releaseCtes,
  type RefusedPoints,
  type TakenPoints,
  type Tier,
} from '../database/rate-limits.service.js';
import { empty, sql, type Sql } from '../database/sql.js';
import { errorCatalogue, type IamError, type IamErrorCode } from '../errors/iam.error.js';
import { Clock } from '../runtime/clock.js';
import { networksOf, WIDE_SHARE } from '../runtime/networks-of.js';
import type { RequestOrigin } from '../runtime/request-context.js';

/** Origin and target of a try. */
export interface Try {
  readonly origin: RequestOrigin;
  /** The appid, or the endpoint where no app is known. */
  readonly at: string;
  readonly provider?: string;
  readonly clientId?: string;
}

/** Says by what code a try failed; null for one that did not. */
interface FailureCodes<T> {
  readonly ofThrown: (thrown: unknown) => IamErrorCode | null;
  readonly ofResult?: (result: T) => IamErrorCode | null;
}

/** The points of a try and what was claimed with them; without limits there are no points. */
export interface Reserved<C> {
  readonly points: TakenPoints | RefusedPoints | null;
  readonly value: C;
}

/** A first statement that takes the points of its tiers too, and the work that they pay for. */
interface Claimed<C, T> {
  readonly claim: (tiers: readonly Tier[] | null) => Promise<Reserved<C>>;
  readonly work: (value: C, refund: Refund) => Promise<T>;
}

/** Gives back the points of a try with the last statement of its work, which saves one of its own. */
export class Refund {
  /** Set once that statement has committed. */
  isDone = false;

  constructor(private readonly taken: TakenPoints | null) {}

  /** CTEs for that statement, which count if the FROM item has a row; each begins with a comma. */
  ctes(when: Sql): Sql {
    return this.taken === null ? empty : sql`, ${releaseCtes(this.taken, () => true, when)}`;
  }
}

const MINUTE = 60;
const DAY = 86_400;
/** A try waits this long for others of its address that are under way: they give their point back if they succeed. */
const PATIENCE_MS = 3_000;
const TICK_MS = 50;
/** More tries of one address than may wait in one process are refused at once. */
const WAITING = 100;
const NAME = 'failures';

/**
 * Limits what fails, by address and app. A try takes its point before it costs anything and gets it back when it succeeds, so
 * many people behind one address sign in, and tries at once are no more than the limit allows.
 */
@Injectable()
export class FailureLimits {
  /** The last try of each address that waits, and how many do. */
  private readonly queues = new Map<string, { readonly tail: Promise<unknown>; readonly length: number }>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly limits: RateLimits,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs what writes a row or calls WeChat for an anonymous caller.
   * @throws IamError `rate_limited` before anything is done; what `work` throws
   */
  async guard<T>(by: Try, codes: FailureCodes<T>, work: () => Promise<T>): Promise<T> {
    const take = async (tiers: readonly Tier[] | null): Promise<Reserved<null>> => {
      const points = tiers === null ? null : await this.limits.take(tiers);
      return { points, value: null };
    };
    return this.guardClaim(by, codes, { claim: take, work });
  }

  /** As `guard`, where the first statement of the work takes the points too. */
  async guardClaim<C, T>(by: Try, codes: FailureCodes<T>, { claim, work }: Claimed<C, T>): Promise<T> {
    const { points, value } = await this.reserve(by, claim);
    if (points === null) return work(value, new Refund(null));
    if ('tier' in points) throw await this.refuse(by, points);
    const refund = new Refund(points);
    const release = async (code: IamErrorCode | null) => {
      if (!refund.isDone) await this.limits.release(points, ({ seconds }) => isForgiven(code, seconds));
    };
    try {
      const result = await work(value, refund);
      await release(codes.ofResult?.(result) ?? null);
      return result;
    } catch (thrown) {
      await release(codes.ofThrown(thrown));
      throw thrown;
    }
  }

  private async reserve<C>(by: Try, claim: Claimed<C, unknown>['claim']): Promise<Reserved<C>> {
    const tiers = this.tiersOf(by);
    const key = tiers?.[0]?.key ?? '';
    const isQueued = this.queues.has(key);
    const isFull = (this.queues.get(key)?.length ?? 0) >= WAITING;
    if (tiers === null || !isQueued || isFull) {
      const first = await claim(tiers);
      if (tiers === null || isFull || !isWorthWaiting(first)) return first;
    }
    return this.wait(key, () => claim(tiers));
  }

  /** One try of an address at a time repeats its claim, so that waiting costs the database the same however many wait. */
  private async wait<C>(key: string, claim: () => Promise<Reserved<C>>): Promise<Reserved<C>> {
    const before = this.queues.get(key) ?? { tail: Promise.resolve(), length: 0 };
    const until = this.clock.elapsed() + PATIENCE_MS;
    const turn = before.tail.then(() => this.claimUntil(until, claim));
    this.queues.set(key, { tail: turn.catch(() => null), length: before.length + 1 });
    try {
      return await turn;
    } finally {
      const { tail, length } = this.queues.get(key) ?? { tail: turn, length: 1 };
      if (length === 1) this.queues.delete(key);
      else this.queues.set(key, { tail, length: length - 1 });
    }
  }

  private async claimUntil<C>(until: number, claim: () => Promise<Reserved<C>>): Promise<Reserved<C>> {
    for (;;) {
      const reserved = await claim();
      if (!isWorthWaiting(reserved) || this.clock.elapsed() > until) return reserved;
      await delay(TICK_MS);
    }
  }

  private async refuse({ at, provider, clientId }: Try, refused: RefusedPoints): Promise<IamError> {
    await recordRefusal(this.dataSource, {
      action: 'limit.refused',
      detail: { limit: NAME, at },
      ...(provider !== undefined && { provider }),
      ...(clientId !== undefined && { clientId }),
    });
    return this.limits.refusal(refused);
  }

  /** The widest network alone has a day: what its parts do adds up there. */
  private tiersOf({ origin, at }: Try): Tier[] | null {
    const { rateLimits } = this.options;
    if (rateLimits === 'off') return null;
    const { failuresPerAddressAndMinute: perMinute, failuresPerAddressAndDay: perDay } = rateLimits;
    const { narrow, wide, shares } = networksOf(origin.ip ?? 'unknown');
    const minute = ([network, times]: (typeof shares)[number]): Tier => ({
      name: NAME,
      key: `${NAME}:minute:${at}:${network}`,
      kind: 'window',
      points: perMinute * times,
      seconds: MINUTE,
    });
    const day = {
      name: NAME,
      key: `${NAME}:day:${at}:${wide ?? narrow}`,
      kind: 'bucket',
      seconds: DAY,
    } as const;
    return [...shares.map(minute), { ...day, points: perDay * (wide === null ? 1 : WIDE_SHARE) }];
  }
}

/** Others of the address are under way, and give their points back if they succeed. */
function isWorthWaiting({ points }: Reserved<unknown>): boolean {
  return points !== null && 'tier' in points && points.inFlight > 0;
}

/** What WeChat or this side failed at does not use up the day of those who tried; within the minute it counts as a try. */
function isForgiven(code: IamErrorCode | null, seconds: number): boolean {
  return code === null || (errorCatalogue[code].status >= 500 && seconds === DAY);
}
