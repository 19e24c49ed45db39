import { v7 as uuidv7 } from 'uuid';
import type { SqlExecutor } from '../database/query-rows.js';
import { currentContext } from '../request-context.js';

/** Who asked, as the edge saw it. Stored with attempts, sessions and audit entries. */
export interface RequestOrigin {
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** What an audit entry says; tokens, codes and secrets never go into `detail`. */
export interface AuditEntry {
  /** `noun.verb` in the past, e.g. `login.succeeded`. */
  readonly action: string;
  readonly userId?: string | null;
  readonly sessionId?: string | null;
  readonly clientId?: string | null;
  readonly provider?: string | null;
  readonly origin?: RequestOrigin | null;
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

/** `INSERT INTO iam.audit_log` whose eleven values start at parameter `$first`; composes into a larger statement. */
export function auditInsertSql(first: number, source: AuditSource = {}): string {
  const value = (index: number, type: string) => `$${first + index}::${type}`;
  return `INSERT INTO iam.audit_log (id, action, user_id, session_id, client_id, provider, ip, user_agent, detail, actor, correlation_id)
    SELECT ${value(0, 'uuid')}, ${value(1, 'text')},
           COALESCE(${value(2, 'uuid')}, ${source.userId ?? 'NULL'}), COALESCE(${value(3, 'uuid')}, ${source.sessionId ?? 'NULL'}),
           ${value(4, 'text')}, COALESCE(${value(5, 'text')}, ${source.provider ?? 'NULL'}), ${value(6, 'text')}, ${value(7, 'text')},
           ${value(8, 'jsonb')} || ${source.detail ?? `'{}'`}, ${value(9, 'text')}, ${value(10, 'uuid')}
    ${source.from === undefined ? '' : `FROM ${source.from}`}`;
}

/** The parameters of `auditInsertSql`, in order; who acts and the correlation id come from the request under way. */
export function auditParameters(entry: AuditEntry): unknown[] {
  const context = currentContext();
  return [
    uuidv7(),
    entry.action,
    entry.userId ?? null,
    entry.sessionId ?? null,
    entry.clientId ?? null,
    entry.provider ?? null,
    entry.origin?.ip ?? null,
    entry.origin?.userAgent ?? null,
    JSON.stringify(entry.detail ?? {}),
    context?.actor ?? null,
    context?.correlationId ?? null,
  ];
}

/** Writes one entry; `executor` is the transaction that makes the change it records. */
export async function recordAudit(executor: SqlExecutor, entry: AuditEntry): Promise<void> {
  await executor.query(auditInsertSql(1), auditParameters(entry));
}
