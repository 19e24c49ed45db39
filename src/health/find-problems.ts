import type { PoolState } from '../database/pool-state.js';

/** What somebody should look at; the first four keep a replica from working. */
export type IamProblem =
  | 'database_unreachable'
  | 'database_read_only'
  | 'migrations_missing'
  | 'signing_key_missing'
  | 'inbox_late'
  | 'inbox_dead'
  | 'audit_late'
  | 'pool_exhausted'
  | 'wechat_unreachable'
  | 'provider_unhealthy'
  | 'qr_codes_low';

/** What ends `migrations_missing`. */
export const MIGRATE =
  'run the migrations: `npx nestjs-wechat-iam migrate`, or `migrationsRun: true` with `iamMigrations`; where none is pending, restore what was dropped or disabled';

/** What ends the problems that keep a replica from working, where that is not in the rest of the report. */
export const remedies: Partial<Readonly<Record<IamProblem, string>>> = {
  database_read_only:
    'PostgreSQL takes no changes: let the connection lead to the primary, or end default_transaction_read_only',
  migrations_missing: MIGRATE,
};

/** What is judged. */
export interface HealthFindings {
  readonly hasKey: boolean;
  readonly isWechatAvailable: boolean;
  readonly inbox?: { readonly oldest_seconds: number | null; readonly dead: number };
  readonly audit?: { readonly oldest_seconds: number | null };
  readonly pool?: PoolState;
  readonly apps?: readonly unknown[];
  readonly qr_codes?: readonly unknown[];
}

/** Handlers that fail are tried again for three minutes; a worker that works begins within seconds. */
const INBOX_LATE_SECONDS = 300;
const AUDIT_LATE_SECONDS = 300;

/** The problems of a replica that reaches its database, the worst first. */
export function findProblems({
  hasKey,
  isWechatAvailable,
  inbox,
  audit,
  pool,
  apps,
  qr_codes,
}: HealthFindings): IamProblem[] {
  const found: readonly (readonly [boolean, IamProblem])[] = [
    [!hasKey, 'signing_key_missing'],
    [(inbox?.oldest_seconds ?? 0) > INBOX_LATE_SECONDS, 'inbox_late'],
    [(inbox?.dead ?? 0) > 0, 'inbox_dead'],
    [(audit?.oldest_seconds ?? 0) > AUDIT_LATE_SECONDS, 'audit_late'],
    [(pool?.waiting ?? 0) > 0, 'pool_exhausted'],
    [!isWechatAvailable, 'wechat_unreachable'],
    [(apps?.length ?? 0) > 0, 'provider_unhealthy'],
    [(qr_codes?.length ?? 0) > 0, 'qr_codes_low'],
  ];
  return found.filter(([isSo]) => isSo).map(([, problem]) => problem);
}
