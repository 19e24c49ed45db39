import { z } from 'zod';
import { insertAudit, recordAudit, type AuditEntry } from '../audit/record-audit.js';
import { execute, queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';

const wishSql = (userId: string, graceDays: number): Sql => sql`
  WITH asked AS (
    SELECT id, deletion_at FROM iam.users WHERE id = ${userId}
  ), wished AS (
    UPDATE iam.users u SET deletion_at = COALESCE(asked.deletion_at, now() + make_interval(days => ${graceDays}::int)), updated_at = now()
    FROM asked WHERE u.id = asked.id
    RETURNING u.deletion_at
  )
  SELECT wished.deletion_at, asked.deletion_at IS NULL AS is_new FROM wished, asked`;

const wish = z.object({ deletion_at: z.date(), is_new: z.boolean() });

const takeBackSql = (userId: string, entry: AuditEntry): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET deletion_at = NULL, updated_at = now()
    WHERE id = ${userId} AND deletion_at IS NOT NULL
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`kept`, userId: sql`kept.id` })}`;

/** Notes when a user, whom the caller has locked, is to be erased; a wish expressed again keeps its day. */
export async function wishDeletion(
  executor: SqlExecutor,
  userId: string,
  { graceDays, ...entry }: Pick<AuditEntry, 'sessionId'> & { readonly graceDays: number },
): Promise<Date> {
  const row = await queryRow(executor, wish, wishSql(userId, graceDays));
  if (row === null) throw new Error('the caller has locked the user');
  const detail = { deletionAt: row.deletion_at.toISOString() };
  if (row.is_new)
    await recordAudit(executor, { ...entry, action: 'user.deletion_requested', userId, detail });
  return row.deletion_at;
}

/** Takes a user's wish back, if there is one. */
export async function takeBackDeletion(
  executor: SqlExecutor,
  userId: string,
  entry: Pick<AuditEntry, 'sessionId' | 'detail'> = {},
): Promise<void> {
  const taken: AuditEntry = { ...entry, action: 'user.deletion_cancelled' };
  await execute(executor, takeBackSql(userId, taken));
}
