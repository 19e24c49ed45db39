import { sql, empty, type Sql } from '../database/sql.js';

/** What an event says about following an Official Account. */
export interface FollowChange {
  readonly appid: string;
  readonly openid: string;
  readonly follows: boolean;
  /** WeChat's `CreateTime`. */
  readonly at: Date;
}

/**
 * Notes a change on the identity, if there is one and nothing newer is known: events may arrive in any order and lead to
 * the same state. Of two in the same second leaving wins; a time in the future is stored as now, or no later event could
 * follow it. `from` is a FROM clause to depend on.
 */
export function noteFollowingSql({ appid, openid, follows, at }: FollowChange, from?: Sql): Sql {
  return sql`
    UPDATE iam.identities SET follows = ${follows}, follow_changed_at = LEAST(${at}::timestamptz, now())
    ${from === undefined ? empty : sql`FROM ${from}`}
    WHERE appid = ${appid} AND openid = ${openid}
      AND (follow_changed_at IS NULL OR follow_changed_at < ${at} OR (follow_changed_at = ${at} AND NOT ${follows}::boolean))`;
}
