import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { queryRow, sql, raw } from './sql.js';

/** A larger difference between the system clock and PostgreSQL's is logged as an error. */
const TOLERATED_MS = 60_000;
const INTERVAL_MS = 30_000;
/** Requests may cause a measurement only once in this time. */
const RECHECK_MS = 5_000;

const timeSql = sql`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;
const timeRow = z.object({ now: z.number() });

/**
 * Synchronizes the clock with PostgreSQL's at start-up and in the background, so that replicas with different system clocks
 * agree on tokens and cookies. While PostgreSQL is unreachable, the last measurement stays.
 */
@Injectable()
export class ClockSync implements OnModuleDestroy {
  private readonly logger = new IamLogger('IamClock');
  private readonly loop = new BackgroundLoop({
    work: () => this.measure('/* background */ '),
    every: INTERVAL_MS,
    // Health reports an unreachable database.
    onTrouble: () => undefined,
  });
  private measuredAt = Number.NEGATIVE_INFINITY;
  private readonly measuring = new SingleFlight<void>();
  private isOff = false;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** Measures before the first request. An unreachable database must not keep the application from starting. */
  async start(): Promise<void> {
    await this.measure('/* background */ ').catch(() => undefined);
    if (this.options.background) this.loop.start(INTERVAL_MS);
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** Measures for a request that finds an implausible time, or in a process without a loop, unless the last measurement is recent. */
  async doubt(): Promise<void> {
    if (this.clock.elapsed() - this.measuredAt > RECHECK_MS) await this.measure('');
  }

  private measure(marker: string): Promise<void> {
    const startedAt = this.clock.elapsed();
    return this.measuring.run('now', () => this.read(marker).finally(() => (this.measuredAt = startedAt)));
  }

  /** The error is at most the round trip: PostgreSQL read its clock between request and response. */
  private async read(marker: string): Promise<void> {
    const startedAt = this.clock.elapsed();
    const row = await queryRow(this.dataSource, timeRow, sql`${raw(marker)}${timeSql}`);
    if (row === null) return;
    const latest = row.now + this.clock.elapsed() - startedAt;
    this.clock.correct(row.now, latest);
    this.logDifference(this.clock.system() - latest);
  }

  private logDifference(ahead: number): void {
    const isOff = Math.abs(ahead) >= TOLERATED_MS;
    if (isOff && !this.isOff)
      this.logger.error(
        `the clock of this replica is ${Math.round(ahead / 1000)} s ahead of PostgreSQL's: set it right (NTP)`,
      );
    this.isOff = isOff;
  }
}
