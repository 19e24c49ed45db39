import { z } from 'zod';
import { execute, type SqlExecutor, sql, empty, type Sql, queryRow } from '../database/sql.js';
import { currentContext } from '../runtime/request-context.js';
import { sha256 } from '../crypto/hash.js';
import { networksOf } from '../runtime/networks-of.js';
import type { AuditAction } from './audit-actions.js';

/** An audit entry; `detail` never has tokens, codes or secrets. */
export interface AuditEntry {
  readonly action: AuditAction;
  /** The user concerned. */
  readonly userId?: string | null;
  /** The session concerned; without one, the entry names the session of the current request. */
  readonly sessionId?: string | null;
  readonly clientId?: string | null;
  readonly provider?: string | null;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The entries of a larger statement: its FROM clause, and expressions for columns that the caller does not know. */
interface AuditSource {
  readonly from?: Sql;
  readonly userId?: Sql;
  readonly sessionId?: Sql;
  readonly clientId?: Sql;
  readonly provider?: Sql;
  /** A jsonb expression whose members join the caller's. */
  readonly detail?: Sql;
}

/**
 * `INSERT INTO iam.audit_log` of one entry for each row of `source`, or one without a `from`; composes into a larger
 * statement. Actor, acting session, address and correlation id come from the current request, also when the host's code
 * runs. An entry about another session has the acting one in `detail`, as `by_session`.
 */
export function insertAudit(
  entry: Omit<AuditEntry, 'action'> & { readonly action: AuditAction | Sql },
  source: AuditSource = {},
): Sql {
  const { origin, actor, correlationId, sessionId: actingSession } = currentContext() ?? {};
  const acting = sql`${actingSession ?? null}::uuid`;
  const concerned = sql`COALESCE(${entry.sessionId ?? null}::uuid, ${source.sessionId ?? sql`NULL`})`;
  return sql`INSERT INTO iam.audit_log (id, action, user_id, session_id, client_id, provider, ip, user_agent, detail, actor, correlation_id)
    SELECT iam.audit_id(), ${entry.action}::text,
           COALESCE(${entry.userId ?? null}::uuid, ${source.userId ?? sql`NULL`}), COALESCE(${concerned}, ${acting}),
           COALESCE(${entry.clientId ?? null}::text, ${source.clientId ?? sql`NULL`}), COALESCE(${entry.provider ?? null}::text, ${source.provider ?? sql`NULL`}),
           ${origin?.ip ?? null}::text, ${origin?.userAgent ?? null}::text,
           ${JSON.stringify(entry.detail ?? {})}::jsonb || ${source.detail ?? sql`'{}'`}
             || CASE WHEN ${concerned} <> ${acting} THEN jsonb_build_object('by_session', ${acting}) ELSE '{}' END,
           ${actor ?? null}::text, ${correlationId ?? null}::uuid
    ${source.from === undefined ? empty : sql`FROM ${source.from}`}`;
}

/** Writes one entry in the transaction of the change that it records. */
export async function recordAudit(executor: SqlExecutor, entry: AuditEntry): Promise<void> {
  await execute(executor, insertAudit(entry));
}

/** How many refusals of one kind, address and hour get an entry each; the others share one when the hour is over. */
const SINGLE = 30;

/**
 * CTEs `counted` and `audited` that record a refusal which strangers can cause without limit; `from` is a FROM clause with a
 * row for each refusal. `detail` must not have members that differ from one refusal to the next. The row lock of the upsert
 * makes the count exact.
 */
export function refusalCtes(entry: AuditEntry, from?: Sql): Sql {
  const { action, userId = null, clientId = null, provider = null, detail = {} } = entry;
  const ip = currentContext()?.origin?.ip ?? null;
  const address = ip === null ? null : networksOf(ip).narrow;
  const key = sha256(JSON.stringify([action, userId, clientId, provider, address, detail]));
  return sql`counted AS (
    INSERT INTO iam.refusals AS r (key, hour, action, user_id, client_id, provider, ip, detail)
    SELECT ${key}::text, date_trunc('hour', now()), ${action}::text, ${userId}::uuid, ${clientId}::text,
           ${provider}::text, ${address}::text, ${JSON.stringify(detail)}::jsonb ${from === undefined ? empty : sql`FROM ${from}`}
    ON CONFLICT (key, hour) DO UPDATE SET count = r.count + 1, last_at = now()
    RETURNING r.count
  ), audited AS (
    ${insertAudit(entry, { from: sql`counted WHERE counted.count <= ${SINGLE}` })}
  )`;
}

/** Records a refusal by itself; see `refusalCtes`. */
export async function recordRefusal(executor: SqlExecutor, entry: AuditEntry): Promise<void> {
  await execute(executor, sql`WITH ${refusalCtes(entry)} SELECT 1`);
}

/** Most hours that one statement closes. */
const BATCH = 100;

const closeSql = sql`
  WITH over AS (
    DELETE FROM iam.refusals WHERE (key, hour) IN
      (SELECT key, hour FROM iam.refusals WHERE hour < now() - interval '1 hour'
       ORDER BY hour LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING *
  ), entered AS (
    INSERT INTO iam.audit_log (id, action, user_id, client_id, provider, ip, detail)
    SELECT iam.audit_id(), action, user_id, client_id, provider, ip,
           detail || jsonb_build_object('count', count - ${SINGLE}::int, 'first_at', first_at, 'last_at', last_at)
    FROM over WHERE count > ${SINGLE}::int ORDER BY last_at
  ) SELECT count(*)::int AS closed FROM over`;

const closedRow = z.object({ closed: z.number() });

/** Closes hours that are over: one entry counts the refusals without an entry. True: there may be more. */
export async function closeRefusals(executor: SqlExecutor): Promise<boolean> {
  const row = await queryRow(executor, closedRow, closeSql);
  return row?.closed === BATCH;
}
