import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { queryRow, type SqlExecutor } from '../database/query-rows.js';

/** A person to one app. */
export interface IdentityKey {
  readonly appid: string;
  readonly openid: string;
}

const owner = z.object({ id: z.string() });
const removed = z.object({ was_last: z.boolean() });

/**
 * The user of an identity, locked: two withdrawals of one person would each see what the other is about to remove.
 * Null: no such identity.
 */
export async function lockOwner(
  manager: EntityManager,
  { appid, openid }: IdentityKey,
): Promise<string | null> {
  const sql = 'SELECT user_id AS id FROM iam.identities WHERE appid = $1 AND openid = $2';
  for (let locked: string | null = null; ;) {
    // A merge that was waited for leaves the identity with another user.
    const found: string | null = (await queryRow(manager, owner, sql, [appid, openid]))?.id ?? null;
    if (found === locked || found === null) return found;
    await manager.query('SELECT 1 FROM iam.users WHERE id = $1 FOR UPDATE', [found]);
    locked = found;
  }
}

/** The stored profile is not what WeChat shows any more: the next sign-in reads it again. */
export async function outdateProfile(executor: SqlExecutor, { appid, openid }: IdentityKey): Promise<void> {
  await executor.query('UPDATE iam.identities SET profile_read_at = NULL WHERE appid = $1 AND openid = $2', [
    appid,
    openid,
  ]);
}

/**
 * Forgets the nickname and avatar that WeChat gave a user, unless another identity than this one has brought a profile too. What
 * the host or the person has set is not WeChat's to withdraw.
 */
export async function forgetProfile(
  manager: EntityManager,
  userId: string,
  identity: IdentityKey,
): Promise<void> {
  await outdateProfile(manager, identity);
  await manager.query(
    `UPDATE iam.users SET nickname = CASE WHEN nickname_by <> 'wechat' THEN nickname END,
                          avatar_url = CASE WHEN avatar_by <> 'wechat' THEN avatar_url END, updated_at = now()
     WHERE id = $1
       AND NOT EXISTS (SELECT 1 FROM iam.identities WHERE user_id = $1 AND profile_read_at IS NOT NULL)`,
    [userId],
  );
}

/**
 * Removes an identity; the database removes the unionids that no other identity carries. True: the user has no identity
 * any more.
 */
export async function removeIdentity(
  manager: EntityManager,
  { appid, openid }: IdentityKey,
): Promise<boolean> {
  const sql = `
    WITH gone AS (
      DELETE FROM iam.identities WHERE appid = $1 AND openid = $2 RETURNING id, user_id
    )
    SELECT NOT EXISTS (
      SELECT 1 FROM iam.identities i WHERE i.user_id = gone.user_id AND i.id <> gone.id) AS was_last
    FROM gone`;
  return (await queryRow(manager, removed, sql, [appid, openid]))?.was_last === true;
}
