import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { queryRow, type SqlExecutor } from '../database/query-rows.js';

/** A person to one app. */
export interface IdentityKey {
  readonly appid: string;
  readonly openid: string;
}

/** What an identity left behind when it went. */
export interface RemovedIdentity {
  readonly userId: string;
  /** The user has no identity any more. */
  readonly wasLast: boolean;
}

const owner = z.object({ user_id: z.string() });
const removed = z.object({ user_id: z.string(), was_last: z.boolean() });

/** The stored profile is not what WeChat shows any more: the next sign-in reads it again. Null: no such identity. */
export async function outdateProfile(executor: SqlExecutor, identity: IdentityKey): Promise<string | null> {
  const sql = `
    WITH outdated AS (
      UPDATE iam.identities SET profile_read_at = NULL WHERE appid = $1 AND openid = $2 RETURNING user_id
    ) SELECT user_id FROM outdated`;
  return (await queryRow(executor, owner, sql, [identity.appid, identity.openid]))?.user_id ?? null;
}

/** Forgets nickname and avatar, unless another identity of the user has brought a profile too. Null: no such identity. */
export async function forgetProfile(manager: EntityManager, identity: IdentityKey): Promise<string | null> {
  const userId = await outdateProfile(manager, identity);
  await manager.query(
    `UPDATE iam.users SET nickname = NULL, avatar_url = NULL, updated_at = now()
     WHERE id = $1
       AND NOT EXISTS (SELECT 1 FROM iam.identities WHERE user_id = $1 AND profile_read_at IS NOT NULL)`,
    [userId],
  );
  return userId;
}

/** Removes an identity, and its unionid when no other identity carries it. Null: no such identity. */
export async function removeIdentity(
  manager: EntityManager,
  { appid, openid }: IdentityKey,
): Promise<RemovedIdentity | null> {
  const sql = `
    WITH gone AS (
      DELETE FROM iam.identities WHERE appid = $1 AND openid = $2 RETURNING id, user_id, union_scope, unionid
    ), orphaned AS (
      DELETE FROM iam.unions n USING gone
      WHERE n.union_scope = gone.union_scope AND n.unionid = gone.unionid AND NOT EXISTS (
        SELECT 1 FROM iam.identities i
        WHERE i.union_scope = gone.union_scope AND i.unionid = gone.unionid AND i.id <> gone.id)
    )
    SELECT user_id, NOT EXISTS (
      SELECT 1 FROM iam.identities i WHERE i.user_id = gone.user_id AND i.id <> gone.id) AS was_last
    FROM gone`;
  const row = await queryRow(manager, removed, sql, [appid, openid]);
  return row === null ? null : { userId: row.user_id, wasLast: row.was_last };
}
