import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { closeRefusals } from '../audit/refusals.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { Erasure } from './erasure.service.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { BATCH, expiredBatches } from './expired-batches.js';

const INTERVAL_MS = 60_000;

const counted = z.object({ removed: z.number() });

/** Removes expired rows in small batches, on whichever replica gets there. */
@Injectable()
export class Cleanup implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger(Cleanup.name);
  private readonly loop = new BackgroundLoop({
    work: () => inLongJob(() => this.removeExpired()),
    every: INTERVAL_MS,
    onTrouble: (reason) => this.logger.warn(`clean-up failed: ${reason}`),
  });
  private isStopping = false;
  private readonly batches: readonly Sql[];

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly erasure: Erasure,
  ) {
    this.batches = expiredBatches(options.audit);
  }

  onApplicationBootstrap(): void {
    if (this.options.background) this.loop.start(INTERVAL_MS * (0.8 + Math.random() * 0.4));
  }

  /** Waits for the batch under way; the other replicas remove the rest. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    await this.loop.stop();
  }

  /** Removes every expired row, a batch at a time, sums refusals up, and then erases whose day has come, or what there is time for until the application stops. */
  async removeExpired(): Promise<void> {
    for (const batch of this.batches) {
      while (!this.isStopping && (await this.remove(batch)) === BATCH);
    }
    while (!this.isStopping && (await closeRefusals(this.dataSource)));
    while (!this.isStopping && (await this.erasure.eraseNextDue()));
  }

  private async remove(batch: Sql): Promise<number> {
    const remove = sql`WITH gone AS (${batch} RETURNING 1) SELECT count(*)::int AS removed FROM gone`;
    return (await queryRow(this.dataSource, counted, remove))?.removed ?? 0;
  }
}
