import { DataSource } from 'typeorm';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { defineTable, integer, key, nullable, text } from './define-table.js';
import { execute, queryRow, sql, type Sql } from './sql.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';

/** `iam.rate_limits`: one limit of one address, network or app. `iam.take_points` reads and writes it. */
export const RateLimitEntity = defineTable('rate_limits', {
  columns: {
    key: key(text),
    /** Points taken from a window. A bucket uses `expire` alone. */
    points: { ...integer, default: 0 },
    /** The end of the window, or the time when the bucket is full again: milliseconds since the epoch, by PostgreSQL's clock. */
    expire: nullable({ type: 'double precision' }),
    /** Points of a window that are reserved and may be returned. */
    held: { ...integer, default: 0 },
  },
  indexes: { rate_limits_expire_idx: ['expire'] },
});

/**
 * One of the limits that a request must pass: `points` in `seconds`. `window`: all points return together at its end. `bucket`: points
 * return evenly. `soft`: a bucket that refuses no request; an exhausted one marks frequent callers.
 */
export interface Tier {
  readonly points: number;
  readonly seconds: number;
  /** Name of the limit for operators. */
  readonly name: string;
  readonly key: string;
  readonly kind: 'window' | 'bucket' | 'soft';
  /** The share of the points open to every caller; the rest is reserved for callers whose `soft` tier has points. */
  readonly share?: number;
}

/** Points that were taken, and the earlier use of each tier. */
export interface TakenPoints {
  readonly tiers: readonly Tier[];
  readonly expires: readonly number[];
  readonly used: readonly number[];
}

/** A refusal by one tier. */
export interface RefusedPoints {
  readonly tier: Tier;
  readonly retryAfterSeconds: number;
  /** Reserved points of the tier, which may be returned before its end. */
  readonly inFlight: number;
}

/** The row that `iam.take_points` returns. */
export const takenRow = z.object({
  refused: z.number().nullable(),
  wait_ms: z.number().nullable(),
  in_flight: z.number().nullable(),
  expires: z.array(z.number()).nullable(),
  used: z.array(z.number()),
});

/** The row of `iam.take_points` where nothing is limited. */
const unlimited = sql`
  (VALUES (NULL::integer, NULL::float8, NULL::integer, NULL::float8[], '{}'::float8[])) AS unlimited (refused, wait_ms, in_flight, expires, used)`;

/** A FROM item of a larger statement that takes one point from every tier, or from none; null: nothing is limited. */
export function takeSql(tiers: readonly Tier[] | null): Sql {
  if (tiers === null) return unlimited;
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

/**
 * CTEs that end a reservation and return one point to each of the tiers for which `isBack` is true, unless their window has
 * ended; only if the FROM item `when` has a row.
 */
export function releaseCtes(
  { tiers, expires }: TakenPoints,
  isBack: (tier: Tier) => boolean,
  when: Sql = sql`(VALUES (1)) AS always`,
): Sql {
  const { keys, points, spans, kinds } = columnsOf(tiers);
  const back = tiers.map((tier) => (isBack(tier) ? 1 : 0));
  return sql`
  given AS (
    SELECT g.* FROM ${when}, unnest(${keys}::text[], ${points}::integer[], ${spans}::float8[], ${kinds}::text[], ${expires}::float8[], ${back}::integer[])
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
  )`;
}

/** Rate limits in PostgreSQL and by its clock, so that a limit holds exactly across replicas (security item 73). */
@Injectable()
export class RateLimits {
  private readonly logger = new IamLogger(RateLimits.name);

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * As `take`, where there is nothing to be given back.
   * @throws IamError `rate_limited` with the seconds to wait; the error of an unavailable database (fails closed)
   */
  async consume(tiers: readonly Tier[]): Promise<void> {
    const taken = await this.take(tiers);
    if ('tier' in taken) throw this.refusal(taken);
  }

  /** Takes one point from every tier, or from none; one round trip. */
  async take(tiers: readonly Tier[]): Promise<TakenPoints | RefusedPoints> {
    const row = await queryRow(this.dataSource, takenRow, sql`SELECT * FROM ${takeSql(tiers)}`);
    return readTaken(tiers, row);
  }

  /**
   * As `releaseCtes`, by a statement of its own. Never rejects: an error would fail a request that has succeeded, for the
   * loss of one point.
   */
  async release(taken: TakenPoints, isBack: (tier: Tier) => boolean): Promise<void> {
    const release = sql`WITH ${releaseCtes(taken, isBack)} SELECT count(*)::int FROM released`;
    await execute(this.dataSource, release).catch((error: unknown) =>
      this.logger.warn(`points were not given back: ${String(error)}`),
    );
  }

  /** Counts a refusal and makes the error for its caller. */
  refusal({ tier, retryAfterSeconds }: RefusedPoints): IamError {
    this.telemetry.rateLimited(tier.name);
    return new IamError('rate_limited', `limit "${tier.key}" is used up`, { retryAfterSeconds });
  }
}

/** Spans in milliseconds. */
function columnsOf(tiers: readonly Tier[]) {
  return {
    keys: tiers.map(({ key }) => key),
    points: tiers.map(({ points }) => points),
    spans: tiers.map(({ seconds }) => seconds * 1000),
    kinds: tiers.map(({ kind }) => kind),
  };
}
