import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { DataSource } from 'typeorm';
import { IamError } from '../iam.error.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { Telemetry } from '../telemetry/telemetry.service.js';

/** So many points in so many seconds. */
export interface RateLimit {
  readonly points: number;
  readonly seconds: number;
}

/** Counters in PostgreSQL, so that a limit holds exactly over all replicas (security item 73). */
@Injectable()
export class RateLimits {
  private readonly limiters = new Map<string, RateLimiterPostgres>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Takes one point of `key` from the limit called `name`; one round trip.
   * @throws IamError `rate_limited` with the seconds to wait; the database's error when it does not answer (fails closed)
   */
  async consume(name: string, key: string, limit: RateLimit): Promise<void> {
    try {
      await this.limiter(name, limit).consume(key);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      this.telemetry.rateLimited(name);
      const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      throw new IamError('rate_limited', `limit "${name}" is used up`, { retryAfterSeconds });
    }
  }

  private limiter(name: string, { points, seconds }: RateLimit): RateLimiterPostgres {
    const known = this.limiters.get(name);
    if (known !== undefined) return known;
    const limiter = new RateLimiterPostgres({
      storeClient: { query: (statement: Statement) => this.run(statement) },
      storeType: 'client',
      schemaName: 'iam',
      tableName: 'rate_limits',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix: name,
      points,
      duration: seconds,
    });
    this.limiters.set(name, limiter);
    return limiter;
  }

  /** Through the host's pool and without the statement's name, which transaction-pooling proxies do not keep. */
  private async run({ text, values }: Statement): Promise<{ rows: unknown }> {
    return { rows: await this.dataSource.query(text, [...values]) };
  }
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}
