import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { sql, type Sql, execute, queryRows } from '../database/sql.js';
import { HostProviders, type IamAuditEntry, type IamAuditSink } from '../config/iam.hooks.js';
import { reasonOf } from '../errors/unknown.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';

/** Seconds after which the lease of the delivering replica expires, unless it is renewed. */
const LEASE_SECONDS = 30;

const SINK = sql`'host'`;
const lease = sql`lease_until = now() + make_interval(secs => ${LEASE_SECONDS}::int)`;
/** How long entries are kept after the last replica with a sink has stopped. */
const subscription = sql`now() + interval '7 days'`;

/** Begins to keep entries for the sink. */
const subscribeSql = sql`
  /* background */ INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES (${SINK}, ${subscription})
  ON CONFLICT DO NOTHING`;

/** Takes or renews the lease and reads committed entries. No row: another replica has the lease, or none are due. */
const takeSql = (leaseToken: string, most: number): Sql => sql`
  /* background */ WITH lease AS (
    UPDATE iam.audit_delivery SET lease_token = ${leaseToken}, ${lease}, subscribed_until = ${subscription}
    WHERE sink = ${SINK} AND (lease_token = ${leaseToken} OR lease_until <= now())
    RETURNING sink
  ), due AS (
    SELECT o.id FROM iam.audit_outbox o, lease ORDER BY o.id LIMIT ${most}
  )
  SELECT a.id, a.at, a.action, a.user_id AS "userId", a.session_id AS "sessionId", a.client_id AS "clientId", a.provider, a.ip,
         a.user_agent AS "userAgent", a.actor, a.correlation_id AS "correlationId", a.detail
  FROM due JOIN iam.audit_log a USING (id) ORDER BY a.id`;

/** The sink is still busy. */
const renewSql = (leaseToken: string): Sql => sql`
  /* background */ UPDATE iam.audit_delivery SET ${lease} WHERE sink = ${SINK} AND lease_token = ${leaseToken}`;

/** Another replica may deliver at once. */
const releaseSql = (leaseToken: string): Sql => sql`
  /* background */ UPDATE iam.audit_delivery SET lease_until = now() WHERE sink = ${SINK} AND lease_token = ${leaseToken}`;

/** The sink has these entries. */
const deliveredSql = (ids: readonly string[]): Sql =>
  sql`/* background */ DELETE FROM iam.audit_outbox WHERE id = ANY (${ids}::uuid[])`;

const POLL_MS = 1_000;
const BATCH = 500;
const MAX_BACKOFF_MS = 300_000;
/** A sink that takes longer counts as stuck; its entries are offered again. */
const LONGEST_MS = 300_000;
const SHUTDOWN_MS = 5_000;

const entryRow = z.object({
  id: z.string(),
  at: z.date(),
  action: z.string(),
  userId: z.string().nullable(),
  sessionId: z.string().nullable(),
  clientId: z.string().nullable(),
  provider: z.string().nullable(),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  actor: z.string().nullable(),
  correlationId: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});

/** Gives committed audit entries to the host's sink, from one replica at a time; without a sink it runs no query. */
@Injectable()
export class AuditDelivery implements OnModuleInit, OnApplicationBootstrap {
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
    private readonly host: HostProviders,
  ) {}

  async onModuleInit(): Promise<void> {
    const { background, audit } = this.options;
    if (background && audit.sink !== undefined) this.sink = await this.host.findOrCreate(audit.sink);
  }

  /** The first start with a sink begins to keep entries. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.sink === undefined) return;
    // The loop tries again, and logs a failure.
    await this.subscribe().catch(() => undefined);
    this.loop.start();
  }

  /**
   * Gives the last entries to the sink, for which it waits a few seconds; another replica offers again what it has not
   * confirmed. For `IamBackgroundModule`, after all else in the background has written its entries.
   */
  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.sink === undefined) return;
    const timeout = new AbortController();
    await Promise.race([
      this.finish(),
      delay(SHUTDOWN_MS, undefined, { ref: false, signal: timeout.signal }).catch(() => undefined),
    ]);
    timeout.abort();
    await execute(this.dataSource, releaseSql(this.leaseToken)).catch(() => undefined);
  }

  private async finish(): Promise<void> {
    await this.loop.stop();
    await this.deliverAll().catch((error: unknown) =>
      this.logger.warn(`the last audit entries are left to the next start: ${reasonOf(error)}`),
    );
  }

  private async subscribe(): Promise<void> {
    await execute(this.dataSource, subscribeSql);
    this.isSubscribed = true;
  }

  private async deliverAll(): Promise<void> {
    if (!this.isSubscribed) await this.subscribe();
    while ((await this.deliver()) === BATCH && !this.isStopping);
  }

  /** How many entries the sink took. Holds no connection while the sink writes. */
  private async deliver(): Promise<number> {
    const rows = await queryRows(this.dataSource, entryRow, takeSql(this.leaseToken, BATCH));
    if (rows.length === 0) return 0;
    await this.write(rows);
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
