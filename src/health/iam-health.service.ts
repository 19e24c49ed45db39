import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../clock.js';
import { isReadOnly, sqlState } from '../database/database-errors.js';
import { readPoolState, type PoolState } from '../database/pool-state.js';
import { execute, queryRow, queryRows } from '../database/query-rows.js';
import { AppHealth } from '../gateway/app-health.service.js';
import { WechatGateway } from '../gateway/wechat-gateway.service.js';
import { iamEntities } from '../iam.entities.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { readInboxBacklog } from '../inbox/inbox-backlog.js';
import { QrBudget } from '../rate-limits/qr-budget.service.js';
import { findProblems, remedies, type IamProblem } from './find-problems.js';

/** What `IamHealth` found. Secrets and people do not occur in it. */
export interface IamHealthReport {
  /** `down`: this replica can sign nobody in. Terminus answers 503 then. */
  readonly status: 'up' | 'down';
  /** Everything that somebody should look at, also while the status is `up`. */
  readonly problems: readonly IamProblem[];
  /** What ends the first problem. */
  readonly remedy?: string;
  /** Columns that the migrations make and that are not there, as `table.column`. */
  readonly missing?: readonly string[];
  readonly inbox?: { readonly oldest_seconds: number | null; readonly dead: number };
  /** Age of the oldest entry that the host's sink has not been given. */
  readonly audit?: { readonly oldest_seconds: number | null };
  readonly pool?: PoolState;
  /** Apps that WeChat refuses to serve. */
  readonly apps?: readonly { readonly appid: string; readonly code: string; readonly since: string }[];
  /** Official Accounts that have used more than 70% of their QR codes; 1 is all. */
  readonly qr_codes?: readonly { readonly appid: string; readonly used: number }[];
}

/** How long PostgreSQL may take before it counts as away, in milliseconds. */
const PATIENCE_MS = 2_000;

/** A whole schema is looked at again after this time, in milliseconds; one that lacks something, each time. */
const SCHEMA_TRUST_MS = 60_000;

/** $1 tables, $2 their columns */
const missingSql = `
  /* background */ SELECT needed.t || '.' || needed.c AS name FROM unnest($1::text[], $2::text[]) AS needed (t, c)
  WHERE NOT EXISTS (SELECT 1 FROM information_schema.columns
    WHERE table_schema = 'iam' AND table_name = needed.t AND column_name = needed.c) ORDER BY 1`;
const missingRow = z.object({ name: z.string() });

/** Columns and tables of the newest migration: an error of theirs means that it has not run. */
const sql = `
  /* background */ SELECT
    EXISTS (SELECT 1 FROM iam.signing_keys WHERE active_at <= now() AND (retires_at IS NULL OR retires_at > now())) AS has_key,
    (SELECT GREATEST(0, extract(epoch FROM now() - at))::float8 FROM iam.audit_log
     WHERE id = (SELECT id FROM iam.audit_outbox ORDER BY id LIMIT 1)) AS audit_age`;
/** Refused by a database that takes no changes, such as a standby after a failover; locks nothing. */
const writableSql = '/* background */ SELECT 1 FROM iam.signing_keys WHERE false FOR UPDATE';
const row = z.object({ has_key: z.boolean(), audit_age: z.number().nullable() });

type Finding = Omit<IamHealthReport, 'status' | 'problems' | 'remedy' | 'missing' | 'pool' | 'apps'> & {
  readonly hasKey: boolean;
};
/** Why nothing more can be read. */
interface Obstacle {
  readonly problem: IamProblem;
  readonly missing?: readonly string[];
}

/** undefined_table, undefined_column, invalid_schema_name */
const notMigrated: ReadonlySet<string | undefined> = new Set(['42P01', '42703', '3F000']);

/** Whether this replica can do its work: a health indicator of `@nestjs/terminus`, or of anything else. */
@Injectable()
export class IamHealth {
  private asking: Promise<Finding | Obstacle> | undefined;
  private trustedUntil = 0;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly gateway: WechatGateway,
    private readonly appHealth: AppHealth,
    private readonly budget: QrBudget,
    private readonly clock: Clock,
  ) {}

  /** `{ [key]: { status, problems, … } }`, as `HealthCheckService.check([() => health.check('iam')])` takes it. Never rejects. */
  async check(key = 'iam'): Promise<Record<string, IamHealthReport>> {
    return { [key]: await this.report() };
  }

  private async report(): Promise<IamHealthReport> {
    const finding = await Promise.race([
      this.ask(),
      delay<Obstacle>(PATIENCE_MS, { problem: 'database_unreachable' }, { ref: false }),
    ]);
    const pool = readPoolState(this.dataSource);
    const apps = this.appHealth
      .list()
      .map(({ appid, code, since }) => ({ appid, code, since: since.toISOString() }));
    const here = { ...(pool !== null && { pool }), ...(apps.length > 0 && { apps }) };
    if ('problem' in finding) return { ...obstructed(finding), ...here };
    const { hasKey, ...rest } = finding;
    const problems = findProblems({
      ...rest,
      ...here,
      hasKey,
      isWechatAvailable: this.gateway.http.isAvailable,
    });
    return { status: hasKey ? 'up' : 'down', problems, ...rest, ...here };
  }

  /** One question at a time: checks that come while PostgreSQL hangs take no more connections. */
  private ask(): Promise<Finding | Obstacle> {
    this.asking ??= this.read()
      .catch((error: unknown) => ({ problem: problemOf(error) }))
      .finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** By what the entities say, so that a new column is looked for by itself. */
  private async findMissing(): Promise<string[]> {
    if (this.clock.elapsed() < this.trustedUntil) return [];
    const columns = iamEntities.flatMap((entity) => this.dataSource.getMetadata(entity).columns);
    const names = [
      columns.map(({ entityMetadata }) => entityMetadata.tableName),
      columns.map(({ databaseName }) => databaseName),
    ];
    const missing = await queryRows(this.dataSource, missingRow, missingSql, names);
    if (missing.length === 0) this.trustedUntil = this.clock.elapsed() + SCHEMA_TRUST_MS;
    return missing.map(({ name }) => name);
  }

  private async read(): Promise<Finding | Obstacle> {
    const missing = await this.findMissing();
    if (missing.length > 0) return { problem: 'migrations_missing', missing };
    await execute(this.dataSource, writableSql, []);
    const found = await queryRow(this.dataSource, row, sql, []);
    const { oldestSeconds, dead } = await readInboxBacklog(this.dataSource);
    const low = await this.budget.low();
    return {
      hasKey: found?.has_key === true,
      audit: { oldest_seconds: found?.audit_age ?? null },
      inbox: { oldest_seconds: oldestSeconds, dead },
      ...(low.length > 0 && { qr_codes: low }),
    };
  }
}

function obstructed({ problem, missing }: Obstacle): IamHealthReport {
  const remedy = remedies[problem];
  return {
    status: 'down',
    problems: [problem],
    ...(remedy !== undefined && { remedy }),
    ...(missing !== undefined && { missing }),
  };
}

function problemOf(error: unknown): IamProblem {
  if (isReadOnly(error)) return 'database_read_only';
  return notMigrated.has(sqlState(error)) ? 'migrations_missing' : 'database_unreachable';
}
