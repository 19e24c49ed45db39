import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { violatedConstraint } from '../database/database-errors.js';
import { inTransaction, queryRow, sql, type Sql } from '../database/sql.js';
import { moveOutcomes } from './openid-move.entity.js';

/** Whose new openid becomes an identity, and of which row. */
export interface MovedIdentity {
  readonly identityId: string;
  readonly provider: string;
  readonly unionScope: string;
  readonly toAppid: string;
}

const settled = z.object({
  user_id: z.string(),
  appid: z.string(),
  openid: z.string(),
  to_openid: z.string(),
  before: z.enum(moveOutcomes),
  outcome: z.enum(moveOutcomes),
});
type Settled = z.infer<typeof settled>;

/**
 * Locks the user first, as a merge does, then what a sign-in or an unlink would change; two runs queue at the move, and
 * the second finds it settled.
 */
const openMove = ({ identityId, toAppid }: MovedIdentity): Sql => sql`
  SELECT i.id, i.user_id, i.appid, i.openid, m.to_openid, m.outcome
  FROM iam.users u JOIN iam.identities i ON i.user_id = u.id
  JOIN iam.openid_moves m ON m.identity_id = i.id AND m.to_appid = ${toAppid}
  WHERE i.id = ${identityId} AND m.outcome IN ('answered', 'second_user', 'barred')
  FOR KEY SHARE OF u, i FOR UPDATE OF m`;

/** The conflict's UPDATE changes nothing: it waits for a sign-in and tells whose it is. */
function joinSql(moved: MovedIdentity): Sql {
  const { toAppid, provider, unionScope } = moved;
  const newId = uuidv7();
  return sql`
    WITH old AS (${openMove(moved)}), held AS (
      INSERT INTO iam.identities AS n (id, user_id, provider, app_kind, appid, openid, union_scope)
      SELECT ${newId}::uuid, old.user_id, ${provider}::text, 'mp', ${toAppid}::text, old.to_openid, ${unionScope}::text
      FROM old
      ON CONFLICT (appid, openid) DO UPDATE SET provider = n.provider
      RETURNING n.id, n.user_id
    ), judged AS (
      SELECT old.*, CASE WHEN held.id = ${newId}::uuid THEN 'joined' WHEN held.user_id = old.user_id THEN 'already_there'
                         ELSE 'second_user' END AS result
      FROM old, held
    ), moved AS (
      UPDATE iam.openid_moves m SET outcome = judged.result FROM judged
      WHERE m.identity_id = judged.id AND m.to_appid = ${toAppid}
    )
    SELECT user_id, appid, openid, to_openid, outcome AS before, result AS outcome FROM judged`;
}

const barSql = (moved: MovedIdentity): Sql => sql`
  WITH old AS (${openMove(moved)}), barred AS (
    UPDATE iam.openid_moves m SET outcome = 'barred' FROM old
    WHERE m.identity_id = old.id AND m.to_appid = ${moved.toAppid}
  )
  SELECT user_id, appid, openid, to_openid, outcome AS before, 'barred' AS outcome FROM old`;

/**
 * Gives a user the openid that they have in the new account, beside the old one, unless somebody has it already: two users
 * are never merged by it, since only the application can run what its host does about a merge. False: the move is not open
 * any more, or the identity was somebody else's by the time that it was locked.
 */
export async function joinMovedOpenid(dataSource: DataSource, moved: MovedIdentity): Promise<boolean> {
  const settle = (statement: Sql) =>
    inTransaction(dataSource, async (manager) => {
      const row = await queryRow(manager, settled, statement);
      if (row !== null && row.outcome !== row.before) await audit(manager, moved, row);
      return row !== null;
    });
  try {
    return await settle(joinSql(moved));
  } catch (error) {
    if (violatedConstraint(error) !== 'identities_barred') throw error;
    return settle(barSql(moved));
  }
}

/** That the user had it already changes nothing. Whose it is else is not told: the entry is among what a person may export. */
async function audit(
  manager: EntityManager,
  { provider, toAppid }: MovedIdentity,
  { user_id, appid, openid, to_openid, outcome }: Settled,
): Promise<void> {
  if (outcome === 'already_there') return;
  const reason = outcome === 'joined' ? {} : { reason: outcome };
  await recordAudit(manager, {
    action: outcome === 'joined' ? 'identity.moved' : 'identity.move_refused',
    userId: user_id,
    provider,
    detail: { fromAppid: appid, fromOpenid: openid, appid: toAppid, openid: to_openid, ...reason },
  });
}
