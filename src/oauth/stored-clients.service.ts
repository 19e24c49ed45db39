import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { findAdapter } from '../http/host-router.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { clientOf } from './client-columns.js';
import { ClientRows, readClients } from './client-rows.service.js';

/** The loop may take a fifth longer: with the read itself, a change acts within 5 seconds on every replica. */
const EVERY_MS = 4_000;

/**
 * Keeps the applications of the database up to date in memory. CORS, cookies and guards cannot wait for a query, so the rows are
 * read before they are asked for.
 */
@Injectable()
export class StoredClients implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new IamLogger(StoredClients.name);
  private readonly loop = new BackgroundLoop({
    work: async () => this.complainOf(await this.load()),
    every: EVERY_MS,
    onTrouble: (reason) => this.logger.warn(`the applications in the database: ${reason}`),
  });
  private started = 0;
  private applied = 0;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly registry: ClientRegistry,
    private readonly adapterHost: HttpAdapterHost,
    rows: ClientRows,
  ) {
    rows.onChange(async () => {
      await this.load().catch(() => this.loop.hurry());
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
    this.loop.start(EVERY_MS);
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

  private complainOf(doubles: readonly string[]): void {
    if (doubles.length > 0)
      throw new Error(`the code has clients with the ids ${doubles.join(', ')} too, and they alone count`);
  }
}
