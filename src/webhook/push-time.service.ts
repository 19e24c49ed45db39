import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../clock.js';
import { queryRow } from '../database/query-rows.js';
import { IamLogger } from '../iam-logger.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { isInWindow, type RawQuery } from './signed-query.js';

/** A replica whose clock is further than this from PostgreSQL's goes by PostgreSQL's. */
const TOLERATED_MS = 60_000;
const RECHECK_MS = 5_000;

const row = z.object({ now: z.number() });

/**
 * What time it is when a push arrives. A replica with a wrong clock would refuse every push, or take old ones: a timestamp
 * out of the window makes it compare its clock with the one that all replicas share.
 */
@Injectable()
export class PushTime {
  private readonly logger = new IamLogger('IamWebhook');
  private correction = 0;
  private checkedAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** Milliseconds since the Unix epoch, to compare the query's timestamp with. */
  async now({ timestamp }: RawQuery): Promise<number> {
    const now = this.clock.now() + this.correction;
    const isLate = performance.now() - this.checkedAt > RECHECK_MS;
    if (typeof timestamp !== 'string' || isInWindow(timestamp, now) || !isLate) return now;
    this.checkedAt = performance.now();
    this.correction = await this.measure();
    return this.clock.now() + this.correction;
  }

  private async measure(): Promise<number> {
    const sql = 'SELECT extract(epoch FROM now())::float8 * 1000 AS now';
    const answer = await queryRow(this.dataSource, row, sql, []);
    const difference = (answer?.now ?? this.clock.now()) - this.clock.now();
    if (Math.abs(difference) < TOLERATED_MS) return 0;
    this.logger.error(
      `the clock of this replica is ${Math.round(-difference / 1000)} s ahead of PostgreSQL's: set it right (NTP)`,
    );
    return difference;
  }
}
