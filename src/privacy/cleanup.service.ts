import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { sql, raw, varied, type Sql, queryRow } from '../database/sql.js';
import { closeRefusals } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { BackgroundLoop } from '../runtime/background-loop.js';
import { Erasure } from './erasure.service.js';

/** Most rows that one statement removes or changes. */
const BATCH = 500;

/** `SKIP LOCKED`: replicas that clean at once share the work instead of waiting for each other. */
const limit = raw(`LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`);

/** The partitions whose rows are removed one by one; those of a day are dropped whole by `iam.roll_partitions`. */
const eventsOutsideTime = [raw('iam.webhook_events_undated'), raw('iam.webhook_events_default')];

const fixed = [
  sql`DELETE FROM iam.logins WHERE id IN
     (SELECT id FROM iam.logins WHERE expires_at < now() ORDER BY expires_at ${limit})`,
  // What WeChat proved of a person who was not connected in time, a phone number perhaps, which the row of a day need not keep.
  sql`UPDATE iam.logins SET subject = NULL WHERE id IN
     (SELECT id FROM iam.logins WHERE subject IS NOT NULL AND redeem_before < now() ORDER BY redeem_before ${limit})`,
  sql`DELETE FROM iam.sessions WHERE id IN
     (SELECT id FROM iam.sessions WHERE expires_at < now() ORDER BY expires_at ${limit})`,
  sql`DELETE FROM iam.browser_sessions WHERE id IN
     (SELECT id FROM iam.browser_sessions WHERE expires_at < now() ORDER BY expires_at ${limit})`,
  // For a month their owner sees why a key works no longer.
  ...['ended_at', 'expires_at'].map(
    (over) => sql`DELETE FROM iam.api_keys WHERE id IN
     (SELECT id FROM iam.api_keys WHERE ${raw(over)} < now() - interval '30 days' ORDER BY ${raw(over)} ${limit})`,
  ),
  // Far longer than WeChat repeats a push. Dead letters stay for administrators.
  ...eventsOutsideTime.map(
    (table) => sql`DELETE FROM ${table} WHERE dedupe_key IN
     (SELECT dedupe_key FROM ${table}
      WHERE (status = 'done' AND received_at < now() - interval '7 days')
         OR (status = 'dead' AND received_at < now() - interval '30 days')
      ORDER BY received_at ${limit})`,
  ),
  sql`DELETE FROM iam.backchannel_logouts WHERE id IN
     (SELECT id FROM iam.backchannel_logouts WHERE created_at < now() - interval '30 days' ORDER BY id ${limit})`,
  // Milliseconds; points may be given back within the hour.
  sql`DELETE FROM iam.rate_limits WHERE key IN
     (SELECT key FROM iam.rate_limits WHERE expire < extract(epoch FROM now() - interval '1 hour') * 1000
      ORDER BY expire ${limit})`,
  ...[raw('iam.client_assertions'), raw('iam.pushed_requests')].map(
    (table) => sql`DELETE FROM ${table} WHERE id IN
     (SELECT id FROM ${table} WHERE expires_at < now() ORDER BY expires_at ${limit})`,
  ),
  // Its last token has expired; see `KeyRotation`.
  sql`DELETE FROM iam.signing_keys WHERE kid IN
     (SELECT kid FROM iam.signing_keys WHERE retires_at < now() ORDER BY retires_at ${limit})`,
  // No row asks to keep them any more. One probe of the index for each app.
  sql`DELETE FROM iam.mini_session_keys WHERE (appid, openid) IN
     (WITH RECURSIVE apps AS (
        (SELECT appid FROM iam.mini_session_keys ORDER BY appid LIMIT 1)
        UNION ALL
        SELECT (SELECT n.appid FROM iam.mini_session_keys n WHERE n.appid > apps.appid ORDER BY n.appid LIMIT 1)
        FROM apps WHERE apps.appid IS NOT NULL)
      SELECT k.appid, k.openid FROM apps JOIN iam.mini_session_keys k ON k.appid = apps.appid
      WHERE NOT EXISTS (SELECT FROM iam.identity_providers p
                        WHERE p.mini_session_keys AND btrim(p.mini_app_id) = apps.appid)
      LIMIT ${raw(`${BATCH}`)} FOR UPDATE OF k SKIP LOCKED)`,
  // No replica has a sink any more.
  sql`DELETE FROM iam.audit_outbox WHERE id IN
     (SELECT id FROM iam.audit_outbox
      WHERE NOT EXISTS (SELECT 1 FROM iam.audit_delivery WHERE subscribed_until > now()) ORDER BY id ${limit})`,
];

/** A trigger refuses to delete entries younger than 30 days, the minimum of the option. */
function oldAudit(retentionDays: number): Sql[] {
  const cutoff = sql`now() - make_interval(days => ${retentionDays}::int)`;
  const isOld = sql`at < ${cutoff}`;
  const hasOldId = sql`id < iam.partition_key('audit_log', ${cutoff})::uuid`;
  return [
    sql`DELETE FROM iam.audit_outbox WHERE id IN
      (SELECT o.id FROM iam.audit_outbox o JOIN iam.audit_log USING (id) WHERE ${isOld} ORDER BY o.id ${limit})`,
    sql`DELETE FROM iam.audit_log_undated WHERE id IN
      (SELECT id FROM iam.audit_log_undated WHERE ${isOld} AND ${hasOldId} ORDER BY id ${limit})`,
    // Its ids may be of a wrong clock.
    sql`DELETE FROM iam.audit_log_default WHERE id IN
      (SELECT id FROM iam.audit_log_default WHERE ${isOld} ORDER BY at ${limit})`,
  ];
}

/** A small statement for each kind of row, to be repeated until it finds less than a batch. */
function expiredBatches({ retentionDays }: { readonly retentionDays: number }): Sql[] {
  return [...fixed, ...oldAudit(retentionDays)];
}

const INTERVAL_MS = 60_000;

const counted = z.object({ removed: z.number() });
const rolled = z.object({ has_dropped: z.boolean() });

/** Removes expired rows in small batches; replicas share the work. */
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
    private readonly clock: Clock,
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

  /**
   * Removes expired rows batch by batch, sums up refusals, erases users whose day has come, then makes partitions for the time
   * ahead and drops those whose time is over, until the application stops.
   */
  async removeExpired(): Promise<void> {
    for (const batch of this.batches) {
      while (!this.isStopping && (await this.remove(batch)) === BATCH);
    }
    while (!this.isStopping && (await closeRefusals(this.dataSource)));
    while (!this.isStopping && (await this.erasure.eraseNextDue()));
    while (!this.isStopping && (await this.dropPartition()));
  }

  /** True: there may be more. */
  private async dropPartition(): Promise<boolean> {
    const moment = new Date(this.clock.now());
    const roll = sql`SELECT iam.roll_partitions(${moment}, ${this.options.audit.retentionDays}::int) AS has_dropped`;
    return (await queryRow(this.dataSource, rolled, roll))?.has_dropped === true;
  }

  private async remove(batch: Sql): Promise<number> {
    const remove = sql`WITH gone AS (${batch} RETURNING 1) SELECT count(*)::int AS removed FROM gone`;
    return (await queryRow(this.dataSource, counted, varied(remove)))?.removed ?? 0;
  }
}
