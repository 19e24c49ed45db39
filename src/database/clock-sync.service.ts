import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { queryRow, sql, raw } from './sql.js';

/** A system clock that is further than this from PostgreSQL's is worth an alarm. */
const TOLERATED_MS = 60_000;
const INTERVAL_MS = 30_000;
/** How often a doubt of a request's may cause a measurement. */
const RECHECK_MS = 5_000;

const timeSql = sql`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;
const timeRow = z.object({ now: z.number() });

/**
 * Keeps the clock in step with PostgreSQL's: measured at start-up, then in the background, so that replicas whose system clocks
 * differ agree on tokens and cookies. While PostgreSQL is away, the last measurement stays.
 */
@Injectable()
export class ClockSync implements OnModuleDestroy {
  private readonly logger = new IamLogger('IamClock');
  private readonly loop = new BackgroundLoop({
    work: () => this.measure('/* background */ '),
    every: INTERVAL_MS,
    // Health says that PostgreSQL is away.
    onTrouble: () => undefined,
  });
  private measuredAt = Number.NEGATIVE_INFINITY;
  private readonly measuring = new SingleFlight<void>();
  private isOff = false;

  constructor(
    private readonly clock: Clock,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** Before the first request. A database that is away shall not keep the application from starting. */
  async start(): Promise<void> {
    await this.measure('/* background */ ').catch(() => undefined);
    this.loop.start(INTERVAL_MS);
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** Measures now, unless that was done a moment ago: for a request that finds a time hard to believe. */
  async doubt(): Promise<void> {
    if (this.clock.elapsed() - this.measuredAt > RECHECK_MS) await this.measure('');
  }

  private measure(marker: string): Promise<void> {
    return this.measuring.run('now', () => this.read(marker));
  }

  /** PostgreSQL read its clock at some moment between question and answer: that is how far off the result may be. */
  private async read(marker: string): Promise<void> {
    const askedAt = this.clock.elapsed();
    this.measuredAt = askedAt;
    const answer = await queryRow(this.dataSource, timeRow, sql`${raw(marker)}${timeSql}`);
    if (answer === null) return;
    const latest = answer.now + this.clock.elapsed() - askedAt;
    this.clock.correct(answer.now, latest);
    this.alarm(this.clock.system() - latest);
  }

  private alarm(ahead: number): void {
    const isOff = Math.abs(ahead) >= TOLERATED_MS;
    if (isOff && !this.isOff)
      this.logger.error(
        `the clock of this replica is ${Math.round(ahead / 1000)} s ahead of PostgreSQL's: set it right (NTP)`,
      );
    this.isOff = isOff;
  }
}
