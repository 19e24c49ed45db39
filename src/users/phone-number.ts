import { z } from 'zod';
import { eventHorizonSql } from '../database/sql-fragments.js';
import { execute, queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import { insertAudit, recordAudit, type AuditEntry } from '../audit/record-audit.js';

/** Where an audit entry about a phone number comes from; the number itself is not in it. */
type PhoneEntry = Pick<AuditEntry, 'provider' | 'sessionId' | 'clientId' | 'detail'>;

const keepSql = (userId: string, phoneNumber: string): Sql => sql`
  WITH kept AS (
    UPDATE iam.users SET phone_number = ${phoneNumber}, phone_verified_at = now(), updated_at = now() WHERE id = ${userId}
    RETURNING phone_verified_at AS at
  ) SELECT at FROM kept`;

/** Keeps the number that WeChat has verified; it says nothing about who somebody is, and joins nobody with anybody. */
export async function keepPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { phoneNumber, ...entry }: PhoneEntry & { readonly phoneNumber: string },
): Promise<Date> {
  const kept = await queryRow(executor, z.object({ at: z.date() }), keepSql(userId, phoneNumber));
  if (kept === null) throw new Error('the caller has locked the user');
  await recordAudit(executor, { ...entry, action: 'user.phone_verified', userId });
  return kept.at;
}

const forgetSql = (userId: string, verifiedBefore: Date | null, entry: AuditEntry): Sql => sql`
  WITH forgotten AS (
    UPDATE iam.users SET phone_number = NULL, phone_verified_at = NULL, updated_at = now()
    WHERE id = ${userId} AND phone_number IS NOT NULL
      AND (${verifiedBefore}::timestamptz IS NULL OR phone_verified_at < ${eventHorizonSql(verifiedBefore)})
    RETURNING id
  )
  ${insertAudit(entry, { from: sql`forgotten`, userId: sql`forgotten.id` })}`;

/** Forgets the number, if there is one; with `verifiedBefore`, unless WeChat has verified one since. */
export async function forgetPhoneNumber(
  executor: SqlExecutor,
  userId: string,
  { verifiedBefore = null, ...entry }: PhoneEntry & { readonly verifiedBefore?: Date | null },
): Promise<void> {
  await execute(executor, forgetSql(userId, verifiedBefore, { ...entry, action: 'user.phone_removed' }));
}
