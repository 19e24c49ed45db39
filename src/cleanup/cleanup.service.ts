import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { queryRow } from '../database/query-rows.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';

const INTERVAL_MS = 60_000;
const BATCH = 500;

/** `SKIP LOCKED`: replicas that clean at once share the work instead of waiting for each other. */
const batches = [
  `DELETE FROM iam.logins WHERE id IN
     (SELECT id FROM iam.logins WHERE expires_at < now() ORDER BY expires_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`,
  `DELETE FROM iam.sessions WHERE id IN
     (SELECT id FROM iam.sessions WHERE expires_at < now() ORDER BY expires_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`,
  // Far longer than WeChat delivers again; what was given up stays for whoever looks into it.
  `DELETE FROM iam.webhook_events WHERE id IN
     (SELECT id FROM iam.webhook_events
      WHERE (status = 'done' AND received_at < now() - interval '7 days')
         OR (status = 'dead' AND received_at < now() - interval '30 days')
      ORDER BY received_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`,
  // The counters' own clock is the application's, in milliseconds.
  `DELETE FROM iam.rate_limits WHERE key IN
     (SELECT key FROM iam.rate_limits WHERE expire < extract(epoch FROM now() - interval '1 hour') * 1000
      ORDER BY expire LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`,
];

const counted = z.object({ removed: z.number() });

/** Removes expired rows in small batches, on whichever replica gets there. */
@Injectable()
export class Cleanup implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Cleanup.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private isStopping = false;

  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(
      () => {
        this.running = this.removeExpired().catch((error: unknown) =>
          this.logger.warn(`clean-up failed: ${String(error)}`),
        );
      },
      INTERVAL_MS * (0.8 + Math.random() * 0.4),
    );
    this.timer.unref();
  }

  /** Waits for the batch under way; the other replicas remove the rest. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Removes every expired row, a batch at a time, or what there is time for until the application stops. */
  async removeExpired(): Promise<void> {
    for (const batch of batches) {
      while (!this.isStopping && (await this.remove(batch)) === BATCH);
    }
  }

  private async remove(batch: string): Promise<number> {
    const sql = `WITH gone AS (${batch} RETURNING 1) SELECT count(*)::int AS removed FROM gone`;
    return (await queryRow(this.dataSource, counted, sql, []))?.removed ?? 0;
  }
}
