import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { isPermissionDenied, isReadOnly, isSchemaOutdated } from '../database/database-errors.js';
import { PreparedStatements, RESTORE_PREPARED } from '../database/prepared-statements.js';
import { readPoolState, type PoolState } from './gauges.service.js';
import { execute, queryRow, sql } from '../database/sql.js';
import { AppHealth, WechatGateway } from '../wechat/wechat-gateway.service.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { readLogoutBacklog } from '../oauth/backchannel/logout-outbox.service.js';
import { readInboxBacklog } from '../webhook/inbox/stored-events.service.js';
import { ALARM, QrBudget } from '../qr-login/qr-budget.service.js';
import { SingleFlight } from '../runtime/single-flight.js';
import { SigningKeys } from '../sessions/signing-keys.service.js';
import { MIGRATE, SchemaWatch, type SchemaGaps } from './schema-watch.service.js';

/** See `IamProblem`. */
export const iamProblems = [
  'database_unreachable',
  'database_read_only',
  'migrations_missing',
  'signing_key_missing',
  'prepared_statements_lost',
  'inbox_late',
  'inbox_dead',
  'backchannel_dead',
  'audit_late',
  'partitions_missing',
  'pool_exhausted',
  'wechat_unreachable',
  'provider_unhealthy',
  'qr_codes_low',
] as const;

/** Problems that an operator should look at, the worst first; the first four keep a replica from working. */
export type IamProblem = (typeof iamProblems)[number];

/** The findings of `IamHealth`, without secrets and personal data. */
export interface IamHealthReport {
  /** `down`: no sign-in can succeed on this replica. Terminus then responds with 503. */
  readonly status: 'up' | 'down';
  /** All problems, also while the status is `up`. */
  readonly problems: readonly IamProblem[];
  /** How to end a problem where the rest of the report does not show it. */
  readonly remedy?: string;
  /** Objects of the migrations that the schema lacks: columns as `table.column`, others e.g. as `table users`, `trigger users.users_bar_or_lift`. */
  readonly missing?: readonly string[];
  /** Migrations that have not run. */
  readonly pending?: readonly string[];
  readonly inbox?: { readonly oldest_seconds: number | null; readonly dead: number };
  /** Applications that were not told of sign-outs. */
  readonly backchannel?: { readonly oldest_seconds: number | null; readonly dead: number };
  /** Age of the oldest entry that the host's sink has not received. */
  readonly audit?: { readonly oldest_seconds: number | null };
  readonly pool?: PoolState;
  /** Apps that WeChat refuses to serve. */
  readonly apps?: readonly { readonly appid: string; readonly code: string; readonly since: string }[];
  /** Official Accounts that have used more than 70% of their QR codes; 1 is all. */
  readonly qr_codes?: readonly { readonly appid: string; readonly used: number }[];
}

/** PostgreSQL counts as unreachable when the report takes longer than this, in milliseconds. */
const PATIENCE_MS = 2_000;

const stateSql = sql`
  /* background */ SELECT
    EXISTS (SELECT 1 FROM iam.signing_keys WHERE active_at <= now() AND (retires_at IS NULL OR retires_at > now())) AS has_key,
    (SELECT GREATEST(0, extract(epoch FROM now() - at))::float8 FROM iam.audit_log
     WHERE id = (SELECT id FROM iam.audit_outbox ORDER BY id LIMIT 1)) AS audit_age,
    NOT has_function_privilege('iam.roll_partitions(timestamptz, integer)', 'EXECUTE') OR EXISTS (
      SELECT FROM unnest(ARRAY['audit_log', 'webhook_events']) parent
      WHERE (SELECT max(upper) FROM iam.partitions_of(parent)) <= iam.partition_key(parent, now() + interval '1 day')
    ) AS lacks_partitions`;
/** A read-only database, such as a standby after a failover, refuses this statement; it locks nothing. */
const writableSql = sql`/* background */ SELECT 1 FROM iam.signing_keys WHERE false FOR UPDATE`;
const row = z.object({
  has_key: z.boolean(),
  audit_age: z.number().nullable(),
  lacks_partitions: z.boolean(),
});

type Finding = Pick<IamHealthReport, 'inbox' | 'backchannel' | 'audit' | 'qr_codes'> & {
  readonly hasKey: boolean;
  readonly lacksPartitions: boolean;
};
/** The reason why nothing more can be read. */
type Obstacle = Pick<IamHealthReport, 'problems' | 'remedy' | 'missing' | 'pending'>;

/** Failed handlers are retried for three minutes, and a running worker starts within seconds. */
const LATE_SECONDS = 300;

/** Whether this replica can do its work: a health indicator of `@nestjs/terminus`, or of anything else. */
@Injectable()
export class IamHealth {
  private readonly reading = new SingleFlight<Finding | Obstacle>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly gateway: WechatGateway,
    private readonly appHealth: AppHealth,
    private readonly budget: QrBudget,
    private readonly schema: SchemaWatch,
    private readonly keys: SigningKeys,
    private readonly prepared: PreparedStatements,
  ) {}

  /** `{ [key]: { status, problems, … } }`, as `HealthCheckService.check([() => health.check('iam')])` takes it. Never rejects. */
  async check(key = 'iam'): Promise<Record<string, IamHealthReport>> {
    return { [key]: await this.report() };
  }

  /** As `check`, without a key. */
  async report(): Promise<IamHealthReport> {
    const found = await Promise.race([
      this.readOnce(),
      delay(PATIENCE_MS, obstacle('database_unreachable'), { ref: false }),
    ]);
    const pool = readPoolState(this.dataSource);
    const apps = this.appHealth
      .list()
      .map(({ appid, code, since }) => ({ appid, code, since: since.toISOString() }));
    const here = { ...(pool !== null && { pool }), ...(apps.length > 0 && { apps }) };
    if ('problems' in found) return { status: 'down', ...found, ...here };
    const { hasKey, lacksPartitions, ...rest } = found;
    const isSo: Partial<Record<IamProblem, boolean>> = {
      signing_key_missing: !hasKey,
      prepared_statements_lost: this.prepared.areLost,
      inbox_late: (rest.inbox?.oldest_seconds ?? 0) > LATE_SECONDS,
      inbox_dead: (rest.inbox?.dead ?? 0) > 0,
      backchannel_dead: (rest.backchannel?.dead ?? 0) > 0,
      audit_late: (rest.audit?.oldest_seconds ?? 0) > LATE_SECONDS,
      partitions_missing: lacksPartitions,
      pool_exhausted: (pool?.waiting ?? 0) > 0,
      wechat_unreachable: !this.gateway.http.isAvailable,
      provider_unhealthy: apps.length > 0,
      qr_codes_low: rest.qr_codes !== undefined,
    };
    const problems = iamProblems.filter((problem) => isSo[problem]);
    const status = hasKey ? 'up' : 'down';
    return { status, problems, ...remedyOf(problems[0]), ...rest, ...here };
  }

  /** Concurrent checks share one read: otherwise each would take a connection while PostgreSQL hangs. */
  private readOnce(): Promise<Finding | Obstacle> {
    return this.reading.run('read', () => this.read().catch((error: unknown) => this.explain(error)));
  }

  private async read(): Promise<Finding | Obstacle> {
    const gaps = await this.schema.find();
    if (gaps !== null) return obstacle('migrations_missing', gaps);
    await execute(this.dataSource, writableSql);
    const found = await queryRow(this.dataSource, row, stateSql);
    const { oldestSeconds, dead } = await readInboxBacklog(this.dataSource);
    const logouts = await readLogoutBacklog(this.dataSource);
    const low = await this.budget.used(ALARM);
    return {
      hasKey: found?.has_key === true || (await this.canMakeKey()),
      lacksPartitions: found?.lacks_partitions === true,
      audit: { oldest_seconds: found?.audit_age ?? null },
      inbox: { oldest_seconds: oldestSeconds, dead },
      backchannel: { oldest_seconds: logouts.oldestSeconds, dead: logouts.dead },
      ...(low.length > 0 && { qr_codes: low }),
    };
  }

  /** Migrations that ran after the start leave no key yet. A replica without requests would stay down unless it makes one here. */
  private async canMakeKey(): Promise<boolean> {
    try {
      await this.keys.reload();
      await this.keys.current();
      return true;
    } catch {
      return false;
    }
  }

  private async explain(error: unknown): Promise<Obstacle> {
    if (isReadOnly(error)) return obstacle('database_read_only');
    if (isPermissionDenied(error)) return obstacle('database_unreachable', null, PERMIT);
    if (!isSchemaOutdated(error)) return obstacle('database_unreachable');
    this.schema.forget();
    return obstacle('migrations_missing', await this.schema.find().catch(() => null));
  }
}

/** How to end the problems for which the rest of the report does not show it. */
const remedies: Partial<Readonly<Record<IamProblem, string>>> = {
  database_read_only:
    'PostgreSQL takes no changes: let the connection lead to the primary, or end default_transaction_read_only',
  migrations_missing: MIGRATE,
  partitions_missing:
    'no partitions for tomorrow, so rows pile up in the default ones: let a replica run with `background: true`, whose database user may EXECUTE iam.roll_partitions',
  prepared_statements_lost: `PostgreSQL has lost prepared statements: ${RESTORE_PREPARED}`,
};
const PERMIT =
  'PostgreSQL denies the database user a permission: as the owner of the schema iam, GRANT USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its tables, and EXECUTE on its functions';

function remedyOf(
  problem?: IamProblem,
  remedy = problem && remedies[problem],
): Pick<IamHealthReport, 'remedy'> {
  return remedy === undefined ? {} : { remedy };
}

function obstacle(problem: IamProblem, gaps: SchemaGaps | null = null, remedy?: string): Obstacle {
  const { missing = [], pending = [] } = gaps ?? {};
  return {
    problems: [problem],
    ...remedyOf(problem, remedy),
    ...(missing.length > 0 && { missing }),
    ...(pending.length > 0 && { pending }),
  };
}
