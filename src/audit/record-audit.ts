import { v7 as uuidv7 } from 'uuid';
import type { SqlExecutor } from '../database/query-rows.js';
import { currentContext } from '../request-context.js';
import type { AuditAction } from './audit-actions.js';

/** What an audit entry says; tokens, codes and secrets never go into `detail`. */
export interface AuditEntry {
  readonly action: AuditAction;
  /** Whom it concerns. */
  readonly userId?: string | null;
  /** The session that it concerns; without one, the entry names the session of the request under way. */
  readonly sessionId?: string | null;
  readonly clientId?: string | null;
  readonly provider?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Where the entries of a larger statement come from: its FROM clause, and expressions that fill what the caller does not know. */
export interface AuditSource {
  readonly from?: string;
  readonly userId?: string;
  readonly sessionId?: string;
  readonly provider?: string;
  /** A jsonb expression whose members join the caller's. */
  readonly detail?: string;
}

/**
 * `INSERT INTO iam.audit_log` whose twelve values start at parameter `$first`; composes into a larger statement. An entry about
 * another session than the one that acts has the acting one in `detail`, as `by_session`.
 */
export function auditInsertSql(first: number, source: AuditSource = {}): string {
  const value = (index: number, type: string) => `$${first + index}::${type}`;
  const concerned = `COALESCE(${value(3, 'uuid')}, ${source.sessionId ?? 'NULL'})`;
  const acting = value(11, 'uuid');
  return `INSERT INTO iam.audit_log (id, action, user_id, session_id, client_id, provider, ip, user_agent, detail, actor, correlation_id)
    SELECT ${value(0, 'uuid')}, ${value(1, 'text')},
           COALESCE(${value(2, 'uuid')}, ${source.userId ?? 'NULL'}), COALESCE(${concerned}, ${acting}),
           ${value(4, 'text')}, COALESCE(${value(5, 'text')}, ${source.provider ?? 'NULL'}), ${value(6, 'text')}, ${value(7, 'text')},
           ${value(8, 'jsonb')} || ${source.detail ?? `'{}'`}
             || CASE WHEN ${concerned} <> ${acting} THEN jsonb_build_object('by_session', ${acting}) ELSE '{}' END,
           ${value(9, 'text')}, ${value(10, 'uuid')}
    ${source.from === undefined ? '' : `FROM ${source.from}`}`;
}

/**
 * The parameters of `auditInsertSql`, in order. Who acts, in which session, from where and under which correlation id comes from
 * the request under way, for entries of the host's code too.
 */
export function auditParameters(entry: AuditEntry): unknown[] {
  const context = currentContext();
  return [
    uuidv7(),
    entry.action,
    entry.userId ?? null,
    entry.sessionId ?? null,
    entry.clientId ?? null,
    entry.provider ?? null,
    context?.origin?.ip ?? null,
    context?.origin?.userAgent ?? null,
    JSON.stringify(entry.detail ?? {}),
    context?.actor ?? null,
    context?.correlationId ?? null,
    context?.sessionId ?? null,
  ];
}

/** Writes one entry; `executor` is the transaction that makes the change it records. */
export async function recordAudit(executor: SqlExecutor, entry: AuditEntry): Promise<void> {
  await executor.query(auditInsertSql(1), auditParameters(entry));
}
