import { Column, Entity, Index, PrimaryColumn, DataSource } from 'typeorm';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { execute, queryRow, sql, type Sql } from './sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';

/** A row of `iam.rate_limits`: one limit of one address, network or app. `iam.take_points` reads and writes it. */
@Entity({ schema: 'iam', name: 'rate_limits' })
@Index('rate_limits_expire_idx', ['expire'])
export class RateLimitEntity {
  @PrimaryColumn({ type: 'text' })
  key!: string;

  /** Of a window: how many it has given. A bucket is its `expire` alone. */
  @Column({ type: 'integer', default: 0 })
  points!: number;

  /** Milliseconds since the epoch, by PostgreSQL's clock: when the window ends, or when the bucket is full again. */
  @Column({ type: 'double precision', nullable: true })
  expire!: number | null;

  /** Of a window: how many of its points may still come back. */
  @Column({ type: 'integer', default: 0 })
  held!: number;
}

/** So many points in so many seconds. */
export interface RateLimit {
  readonly points: number;
  readonly seconds: number;
}

/**
 * One of the limits that a request must pass. `window`: the points come back together when its time is over. `bucket`: they
 * come back evenly. `soft`: a bucket that refuses nobody, and tells who comes rarely.
 */
export interface Tier extends RateLimit {
  /** As the operator knows the limit. */
  readonly name: string;
  readonly key: string;
  readonly kind: 'window' | 'bucket' | 'soft';
  /** The part of the points that is there for everybody; the rest is kept for those whose `soft` tier has points. */
  readonly share?: number;
}

/** Points that were taken, and how much of each tier had been used before. */
export interface TakenPoints {
  readonly tiers: readonly Tier[];
  readonly expires: readonly number[];
  readonly used: readonly number[];
}

/** Points that were not given. */
export interface RefusedPoints {
  readonly tier: Tier;
  readonly retryAfterSeconds: number;
  /** Points of the tier that may come back before its time is over. */
  readonly inFlight: number;
}

/** What `iam.take_points` answers. */
export const takenRow = z.object({
  refused: z.number().nullable(),
  wait_ms: z.number().nullable(),
  in_flight: z.number().nullable(),
  expires: z.array(z.number()).nullable(),
  used: z.array(z.number()),
});

/** A FROM item that takes one point of every tier, or of none; a larger statement composes it. */
export function takeSql(tiers: readonly Tier[]): Sql {
  const { keys, points, spans, kinds } = columnsOf(tiers);
  return sql`iam.take_points(${keys}, ${points}, ${spans}, ${kinds}, ${tiers.map(({ share = 1 }) => share)})`;
}

/** Reads the row of a `takeSql`. */
export function readTaken(
  tiers: readonly Tier[],
  row: z.infer<typeof takenRow> | null,
): TakenPoints | RefusedPoints {
  const tier = tiers[(row?.refused ?? 0) - 1];
  if (tier === undefined) return { tiers, expires: row?.expires ?? [], used: row?.used ?? [] };
  return {
    tier,
    retryAfterSeconds: Math.max(1, Math.ceil((row?.wait_ms ?? 0) / 1000)),
    inFlight: row?.in_flight ?? 0,
  };
}

/** `back`: points of each tier that come back. */
const releaseSql = (
  { keys, points, spans, kinds }: TierColumns,
  expires: readonly number[],
  back: readonly number[],
) => sql`
  WITH given AS (
    SELECT * FROM unnest(${keys}::text[], ${points}::integer[], ${spans}::float8[], ${kinds}::text[], ${expires}::float8[], ${back}::integer[])
      AS g (name, capacity, span, kind, expire, back)
  ), locked AS (
    SELECT key FROM iam.rate_limits WHERE key = ANY (${keys}) ORDER BY key FOR UPDATE
  ), released AS (
    UPDATE iam.rate_limits r SET
      points = r.points - CASE WHEN g.kind = 'window' THEN g.back ELSE 0 END,
      held = GREATEST(0, r.held - 1),
      expire = r.expire - CASE WHEN g.kind = 'window' THEN 0 ELSE g.back * g.span / g.capacity END
    FROM given g, locked l
    WHERE r.key = g.name AND l.key = r.key AND (g.kind <> 'window' OR r.expire = g.expire)
    RETURNING 1
  ) SELECT count(*)::int FROM released`;

/** Counters in PostgreSQL and by its clock, so that a limit holds exactly over all replicas (security item 73). */
@Injectable()
export class RateLimits {
  private readonly logger = new IamLogger(RateLimits.name);

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Takes one point of `key` from the limit called `name`; one round trip.
   * @throws IamError `rate_limited` with the seconds to wait; the database's error when it does not answer (fails closed)
   */
  async consume(name: string, key: string, limit: RateLimit): Promise<void> {
    const taken = await this.take([{ ...limit, name, key: `${name}:${key}`, kind: 'window' }]);
    if ('tier' in taken) throw this.refusal(taken);
  }

  /** Takes one point of every tier, or of none; one round trip. */
  async take(tiers: readonly Tier[]): Promise<TakenPoints | RefusedPoints> {
    const row = await queryRow(this.dataSource, takenRow, sql`SELECT * FROM ${takeSql(tiers)}`);
    return readTaken(tiers, row);
  }

  /**
   * Ends a reservation; gives the points back of the tiers that `isBack` names. A window that is over keeps its own. Never
   * rejects: what was done with the points stands, and a point that is lost is a small loss.
   */
  async release({ tiers, expires }: TakenPoints, isBack: (tier: Tier) => boolean): Promise<void> {
    const back = tiers.map((tier) => (isBack(tier) ? 1 : 0));
    await execute(this.dataSource, releaseSql(columnsOf(tiers), expires, back)).catch((error: unknown) =>
      this.logger.warn(`points were not given back: ${String(error)}`),
    );
  }

  /** Counts a refusal, and says it as the caller sees it. */
  refusal({ tier, retryAfterSeconds }: RefusedPoints): IamError {
    this.telemetry.rateLimited(tier.name);
    return new IamError('rate_limited', `limit "${tier.key}" is used up`, { retryAfterSeconds });
  }
}

type TierColumns = ReturnType<typeof columnsOf>;

/** Spans in milliseconds. */
function columnsOf(tiers: readonly Tier[]) {
  return {
    keys: tiers.map(({ key }) => key),
    points: tiers.map(({ points }) => points),
    spans: tiers.map(({ seconds }) => seconds * 1000),
    kinds: tiers.map(({ kind }) => kind),
  };
}
