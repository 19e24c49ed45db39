import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { execute, queryRows } from '../database/sql.js';
import { findOrCreate } from '../database/hook-runner.js';
import { IamLogger } from '../runtime/iam-logger.js';
import type { IamAuditEntry, IamAuditSink } from '../config/iam.hooks.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import {
  deliveredSql,
  LEASE_SECONDS,
  releaseSql,
  renewSql,
  subscribeSql,
  takeSql,
} from './delivery-statements.js';

const POLL_MS = 1_000;
const BATCH = 500;
const MAX_BACKOFF_MS = 300_000;
/** A sink that takes longer is taken for stuck; its entries are offered again. */
const LONGEST_MS = 300_000;
const SHUTDOWN_MS = 5_000;

const entryRow = z.object({
  id: z.string(),
  at: z.date(),
  action: z.string(),
  user_id: z.string().nullable(),
  session_id: z.string().nullable(),
  client_id: z.string().nullable(),
  provider: z.string().nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  actor: z.string().nullable(),
  correlation_id: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});

/** Gives committed audit entries to the host's sink, from one replica at a time; asks PostgreSQL nothing without a sink. */
@Injectable()
export class AuditDelivery implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new IamLogger('IamAudit');
  private readonly leaseToken = randomUUID();
  private sink: IamAuditSink | undefined;
  private readonly loop = new BackgroundLoop({
    work: () => this.deliverAll(),
    every: POLL_MS,
    longestPause: MAX_BACKOFF_MS,
    onTrouble: (reason) =>
      this.logger.error(`audit entries cannot be delivered and will be offered again: ${reason}`),
    onRecovery: () => this.logger.log('audit entries are delivered again'),
  });
  private isSubscribed = false;
  private isStopping = false;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly moduleRef: ModuleRef,
  ) {}

  async onModuleInit(): Promise<void> {
    const { background, audit } = this.options;
    if (background && audit.sink !== undefined) this.sink = await findOrCreate(this.moduleRef, audit.sink);
  }

  /** Entries are kept from the first start with a sink on. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.sink === undefined) return;
    // The loop tries again, and tells of a failure.
    await this.subscribe().catch(() => undefined);
    this.loop.start();
  }

  /** Waits for the sink, but not long; what it has not confirmed another replica offers it again. */
  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    if (this.sink === undefined) return;
    const timeout = new AbortController();
    await Promise.race([
      this.loop.stop(),
      delay(SHUTDOWN_MS, undefined, { ref: false, signal: timeout.signal }).catch(() => undefined),
    ]);
    timeout.abort();
    await execute(this.dataSource, releaseSql(this.leaseToken)).catch(() => undefined);
  }

  private async subscribe(): Promise<void> {
    await execute(this.dataSource, subscribeSql);
    this.isSubscribed = true;
  }

  private async deliverAll(): Promise<void> {
    if (!this.isSubscribed) await this.subscribe();
    while ((await this.deliver()) === BATCH && !this.isStopping);
  }

  /** How many entries the sink took. While it writes, no connection is held. */
  private async deliver(): Promise<number> {
    const rows = await queryRows(this.dataSource, entryRow, takeSql(this.leaseToken, BATCH));
    if (rows.length === 0) return 0;
    await this.write(rows.map(toEntry));
    await execute(this.dataSource, deliveredSql(rows.map(({ id }) => id)));
    return rows.length;
  }

  private async write(entries: readonly IamAuditEntry[]): Promise<void> {
    const renew = () => void execute(this.dataSource, renewSql(this.leaseToken)).catch(() => undefined);
    const renewing = setInterval(renew, (LEASE_SECONDS * 1000) / 3).unref();
    const timer = new AbortController();
    const isStuck = delay(LONGEST_MS, true, { ref: false, signal: timer.signal }).catch(() => false);
    try {
      const writing = Promise.resolve(this.sink?.write(entries)).then(() => false);
      if (await Promise.race([writing, isStuck])) throw new Error('the sink does not come to an end');
    } finally {
      timer.abort();
      clearInterval(renewing);
    }
  }
}

function toEntry(row: z.infer<typeof entryRow>): IamAuditEntry {
  return {
    id: row.id,
    at: row.at,
    action: row.action,
    userId: row.user_id,
    sessionId: row.session_id,
    clientId: row.client_id,
    provider: row.provider,
    ip: row.ip,
    userAgent: row.user_agent,
    actor: row.actor,
    correlationId: row.correlation_id,
    detail: row.detail,
  };
}
