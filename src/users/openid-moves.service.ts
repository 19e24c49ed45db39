import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { v7 as uuidv7 } from 'uuid';
import { execute, hasRow, queryRow, queryRows, sql, type Sql, inTransaction } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { recordAudit } from '../audit/record-audit.js';
import { violatedConstraint } from '../database/database-errors.js';
import { twoUnionidsSql } from './user-merges.service.js';
import { moveOutcomes } from './identity.entity.js';

/** An Official Account that has moved, and its destination. */
interface AccountPair {
  readonly fromAppid: string;
  readonly toAppid: string;
}

/** A page of the old account's identities, in openid order after an openid. */
export interface MovePage extends AccountPair {
  readonly after: string;
  readonly limit: number;
}

const identity = z.object({ id: z.string(), openid: z.string() });
/** An identity of the old account. */
export type OldIdentity = Readonly<z.infer<typeof identity>>;

/** WeChat's response for one identity; null: no openid in the new account. */
export interface OpenidResponse {
  readonly identityId: string;
  readonly toOpenid: string | null;
}

const predicted = z.object({
  openid: z.string(),
  to_openid: z.string(),
  user_id: z.string(),
  status: z.string(),
  other_user_id: z.string().nullable(),
  other_status: z.string().nullable(),
  outcome: z.enum(['joined', 'already_there', 'second_user', 'barred']),
  /** The scopes in which each of the two users owns another unionid: a merge needs `force`. */
  union_scopes: z.array(z.string()),
});
/** The users who have the old openid and the new one, and the predicted outcome of a run. */
export type PredictedMove = Readonly<z.infer<typeof predicted>>;

const countName = z.enum([...moveOutcomes, 'unanswered']);
const counted = z.object({ outcome: countName, count: z.number() });
const counts = z.record(countName, z.number());
/** Identities of the old account by outcome; `unanswered`: no response of WeChat yet. */
export type MoveCounts = Readonly<z.infer<typeof counts>>;

const pageSql = ({ fromAppid, toAppid, after, limit }: MovePage, condition: Sql): Sql => sql`
  SELECT i.id, i.openid FROM iam.identities i
  LEFT JOIN iam.openid_moves m ON m.identity_id = i.id AND m.to_appid = ${toAppid}
  WHERE i.appid = ${fromAppid} AND i.app_kind = 'mp' AND i.openid > ${after} AND (${condition})
  ORDER BY i.openid LIMIT ${limit}`;

const isOpen = sql`m.outcome IN ('answered', 'second_user', 'barred')`;

/** Responses of WeChat as rows. */
const givenSql = (responses: readonly OpenidResponse[]): Sql => {
  const [ids, openids] = [
    responses.map(({ identityId }) => identityId),
    responses.map(({ toOpenid }) => toOpenid),
  ];
  return sql`unnest(${ids}::uuid[], ${openids}::text[]) AS given (identity_id, to_openid)`;
};

/** Skips identities removed meanwhile, and keeps stored responses except "not a follower", which may change. */
const storeSql = (toAppid: string, responses: readonly OpenidResponse[]): Sql => sql`
  INSERT INTO iam.openid_moves AS m (identity_id, to_appid, to_openid, outcome)
  SELECT i.id, ${toAppid}::text, given.to_openid, CASE WHEN given.to_openid IS NULL THEN 'not_follower' ELSE 'answered' END
  FROM ${givenSql(responses)} JOIN iam.identities i ON i.id = given.identity_id
  ORDER BY i.id FOR KEY SHARE OF i
  ON CONFLICT (identity_id, to_appid) DO UPDATE
    SET to_openid = EXCLUDED.to_openid, outcome = EXCLUDED.outcome, answered_at = now()
    WHERE m.outcome = 'not_follower'`;

/** `moves` has `identity_id` and `to_openid`. */
const predictSql = (toAppid: string, moves: Sql): Sql => sql`
  SELECT i.openid, j.to_openid, i.user_id, u.status, n.user_id AS other_user_id, o.status AS other_status,
         CASE WHEN n.user_id = i.user_id THEN 'already_there' WHEN n.user_id IS NOT NULL THEN 'second_user'
              WHEN EXISTS (SELECT 1 FROM iam.barred_subjects b WHERE b.user_id <> i.user_id
                             AND b.subject_hash = iam.subject_hash('identity', ${toAppid}, j.to_openid)) THEN 'barred'
              ELSE 'joined' END AS outcome,
         ARRAY(${twoUnionidsSql(sql`i.user_id`, sql`n.user_id`)}) AS union_scopes
  FROM (${moves}) j JOIN iam.identities i ON i.id = j.identity_id JOIN iam.users u ON u.id = i.user_id
  LEFT JOIN iam.identities n ON n.appid = ${toAppid} AND n.openid = j.to_openid
  LEFT JOIN iam.users o ON o.id = n.user_id`;

/** Openids of people whose Official Account has moved into another one. */
@Injectable()
export class OpenidMoves {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Identities without a response of WeChat, and on request those of people who were no followers. */
  withoutOpenid(
    page: MovePage,
    { includeNonFollowers = false }: { readonly includeNonFollowers?: boolean },
  ): Promise<OldIdentity[]> {
    const again = sql`(${includeNonFollowers}::boolean AND m.outcome = 'not_follower')`;
    return queryRows(this.dataSource, identity, pageSql(page, sql`m.outcome IS NULL OR ${again}`));
  }

  /** Identities whose new openid is known, but not added to the user yet. */
  open(page: MovePage): Promise<OldIdentity[]> {
    return queryRows(this.dataSource, identity, pageSql(page, isOpen));
  }

  /** Stores responses in one statement; earlier ones stay. */
  async store(toAppid: string, responses: readonly OpenidResponse[]): Promise<void> {
    await execute(this.dataSource, storeSql(toAppid, responses));
  }

  /** Predicts the outcomes of responses that are not stored. */
  predict(toAppid: string, responses: readonly OpenidResponse[]): Promise<PredictedMove[]> {
    const found = responses.filter(({ toOpenid }) => toOpenid !== null);
    const prediction = predictSql(toAppid, sql`SELECT * FROM ${givenSql(found)}`);
    return queryRows(this.dataSource, predicted, sql`${prediction} ORDER BY i.openid`);
  }

  /** Predicts the outcomes of stored responses that are open, in openid order. */
  predictOpen({ fromAppid, toAppid, after, limit }: MovePage): Promise<PredictedMove[]> {
    const stored = sql`
      SELECT m.identity_id, m.to_openid FROM iam.openid_moves m WHERE m.to_appid = ${toAppid} AND ${isOpen}`;
    const page = sql`WHERE i.appid = ${fromAppid} AND i.openid > ${after} ORDER BY i.openid LIMIT ${limit}`;
    return queryRows(this.dataSource, predicted, sql`${predictSql(toAppid, stored)} ${page}`);
  }

  async count({ fromAppid, toAppid }: AccountPair): Promise<MoveCounts> {
    const rows = await queryRows(
      this.dataSource,
      counted,
      sql`
        SELECT COALESCE(m.outcome, 'unanswered') AS outcome, count(*)::int AS count
        FROM iam.identities i LEFT JOIN iam.openid_moves m ON m.identity_id = i.id AND m.to_appid = ${toAppid}
        WHERE i.appid = ${fromAppid} AND i.app_kind = 'mp' GROUP BY 1`,
    );
    const found = new Map(rows.map(({ outcome, count }) => [outcome, count]));
    return counts.parse(Object.fromEntries(countName.options.map((name) => [name, found.get(name) ?? 0])));
  }

  /** False also when the identity was removed. */
  async isOpen(identityId: string, toAppid: string): Promise<boolean> {
    const found = sql`
      SELECT 1 FROM iam.openid_moves m
      WHERE identity_id = ${identityId} AND to_appid = ${toAppid} AND ${isOpen}`;
    return hasRow(this.dataSource, found);
  }
}

/** An identity of the old account, and the provider row of the new one. */
interface MovedIdentity {
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
 * Locks the user first, as a merge does, then the rows that a sign-in or an unlink would change. Of two concurrent runs the
 * second waits for the move and then finds it settled.
 */
const openMove = ({ identityId, toAppid }: MovedIdentity): Sql => sql`
  SELECT i.id, i.user_id, i.appid, i.openid, m.to_openid, m.outcome
  FROM iam.users u JOIN iam.identities i ON i.user_id = u.id
  JOIN iam.openid_moves m ON m.identity_id = i.id AND m.to_appid = ${toAppid}
  WHERE i.id = ${identityId} AND m.outcome IN ('answered', 'second_user', 'barred')
  FOR KEY SHARE OF u, i FOR UPDATE OF m`;

/** Without the conflict's UPDATE, which changes nothing, the statement would not wait for a sign-in nor return the owner. */
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
    ), decided AS (
      SELECT old.*, CASE WHEN held.id = ${newId}::uuid THEN 'joined' WHEN held.user_id = old.user_id THEN 'already_there'
                         ELSE 'second_user' END AS result
      FROM old, held
    ), moved AS (
      UPDATE iam.openid_moves m SET outcome = decided.result FROM decided
      WHERE m.identity_id = decided.id AND m.to_appid = ${toAppid}
    )
    SELECT user_id, appid, openid, to_openid, outcome AS before, result AS outcome FROM decided`;
}

const barSql = (moved: MovedIdentity): Sql => sql`
  WITH old AS (${openMove(moved)}), barred AS (
    UPDATE iam.openid_moves m SET outcome = 'barred' FROM old
    WHERE m.identity_id = old.id AND m.to_appid = ${moved.toAppid}
  )
  SELECT user_id, appid, openid, to_openid, outcome AS before, 'barred' AS outcome FROM old`;

/**
 * Adds the new openid to the user of the old one, unless another user has it: users are never merged here, because only the
 * application can run the host's `onMerge`. False: the move is no longer open, or the identity had another user when it was
 * locked.
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

/** Records no entry where the user had the openid already, and never the other user: the person may export the entry. */
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
