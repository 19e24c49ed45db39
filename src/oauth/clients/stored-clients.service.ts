import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { ClientRegistry } from '../../http/client-registry.service.js';
import { findAdapter } from '../../http/host-router.js';
import { reasonOf } from '../../errors/unknown.js';
import { BackgroundLoop } from '../../runtime/background-loop.js';
import { Clock } from '../../runtime/clock.js';
import { IamLogger } from '../../runtime/iam-logger.js';
import { SingleFlight } from '../../runtime/single-flight.js';
import { clientOf } from './client-columns.js';
import { ClientRows, readClients } from './client-rows.service.js';

/** The loop may take a fifth longer: with the read itself, a change acts within 5 seconds on every replica. */
const EVERY_MS = 4_000;

/**
 * Keeps the applications of the database up to date in memory. CORS, cookies and guards cannot wait for a query, so the rows are
 * read before they are asked for: by a loop, and without background work by the first request after so long.
 */
@Injectable()
export class StoredClients implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger(StoredClients.name);
  private readonly loop = new BackgroundLoop({
    work: async () => this.complainOf(await this.load()),
    every: EVERY_MS,
    onTrouble: (reason) => this.logger.warn(`the applications in the database: ${reason}`),
  });
  private readonly reading = new SingleFlight<void>();
  private triedAt = Number.NEGATIVE_INFINITY;
  private started = 0;
  private applied = 0;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
    private readonly registry: ClientRegistry,
    private readonly adapterHost: HttpAdapterHost,
    rows: ClientRows,
  ) {
    rows.onChange(async () => {
      await this.load().catch(() => {
        this.triedAt = Number.NEGATIVE_INFINITY;
        this.loop.hurry();
      });
    });
  }

  /** Every client of the code is registered by now. @throws TypeError for an id that code and database have */
  async onApplicationBootstrap(): Promise<void> {
    if (findAdapter(this.adapterHost) === null) return;
    const [double] = await this.load().catch(() => []);
    if (double !== undefined)
      throw new TypeError(
        `IamModule option \`clients\`: expected no client "${double}": an application in the database has this id`,
      );
    this.triedAt = this.clock.elapsed();
    if (this.options.background) this.loop.start(EVERY_MS);
    else this.registry.readBy(() => this.readDue());
  }

  async onModuleDestroy(): Promise<void> {
    await this.loop.stop();
  }

  /** The ids that the code has too. A read that began before the last change must not undo it. */
  private async load(): Promise<string[]> {
    const turn = (this.started += 1);
    const clients = (await readClients(this.dataSource)).map(clientOf);
    if (turn < this.applied) return [];
    this.applied = turn;
    return this.registry.replaceStored(clients);
  }

  /** While PostgreSQL is down, the applications of before count, and it is asked no more often. */
  private readDue(): Promise<void> | null {
    if (this.clock.elapsed() - this.triedAt < EVERY_MS) return null;
    return this.reading.run('', async () => {
      await this.load().catch((error: unknown) =>
        this.logger.warn(`the applications in the database: ${reasonOf(error)}`),
      );
      this.triedAt = this.clock.elapsed();
    });
  }

  private complainOf(doubles: readonly string[]): void {
    if (doubles.length > 0)
      throw new Error(`the code has clients with the ids ${doubles.join(', ')} too, and they alone count`);
  }
}
