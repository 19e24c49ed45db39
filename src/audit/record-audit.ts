import { v7 as uuidv7 } from 'uuid';
import { execute, type SqlExecutor, sql, empty, type Sql } from '../database/sql.js';
import { currentContext } from '../runtime/request-context.js';
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
  readonly from?: Sql;
  readonly userId?: Sql;
  readonly sessionId?: Sql;
  readonly provider?: Sql;
  /** A jsonb expression whose members join the caller's. */
  readonly detail?: Sql;
}

/**
 * `INSERT INTO iam.audit_log` of one entry for each row of `source`, one row in all where it has no `from`; composes into a larger
 * statement. Who acts, in which session, from where and under which correlation id comes from the request under way, for
 * entries of the host's code too. An entry about another session than the one that acts has the acting one in `detail`,
 * as `by_session`.
 */
export function insertAudit(entry: AuditEntry, source: AuditSource = {}): Sql {
  const { origin, actor, correlationId, sessionId: actingSession } = currentContext() ?? {};
  const acting = sql`${actingSession ?? null}::uuid`;
  const concerned = sql`COALESCE(${entry.sessionId ?? null}::uuid, ${source.sessionId ?? sql`NULL`})`;
  return sql`INSERT INTO iam.audit_log (id, action, user_id, session_id, client_id, provider, ip, user_agent, detail, actor, correlation_id)
    SELECT ${uuidv7()}::uuid, ${entry.action}::text,
           COALESCE(${entry.userId ?? null}::uuid, ${source.userId ?? sql`NULL`}), COALESCE(${concerned}, ${acting}),
           ${entry.clientId ?? null}::text, COALESCE(${entry.provider ?? null}::text, ${source.provider ?? sql`NULL`}),
           ${origin?.ip ?? null}::text, ${origin?.userAgent ?? null}::text,
           ${JSON.stringify(entry.detail ?? {})}::jsonb || ${source.detail ?? sql`'{}'`}
             || CASE WHEN ${concerned} <> ${acting} THEN jsonb_build_object('by_session', ${acting}) ELSE '{}' END,
           ${actor ?? null}::text, ${correlationId ?? null}::uuid
    ${source.from === undefined ? empty : sql`FROM ${source.from}`}`;
}

/** Writes one entry; `executor` is the transaction that makes the change it records. */
export async function recordAudit(executor: SqlExecutor, entry: AuditEntry): Promise<void> {
  await execute(executor, insertAudit(entry));
}
