import type { StatementPart } from '../database/statement-part.js';

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
export function followStatePart({ appid, openid, follows, at }: FollowChange, from?: string): StatementPart {
  const sql = (first: number) => `
    UPDATE iam.identities SET follows = $${first + 2}, follow_changed_at = LEAST($${first + 3}::timestamptz, now())
    ${from === undefined ? '' : `FROM ${from}`}
    WHERE appid = $${first} AND openid = $${first + 1}
      AND (follow_changed_at IS NULL OR follow_changed_at < $${first + 3}
           OR (follow_changed_at = $${first + 3} AND NOT $${first + 2}::boolean))`;
  return { sql, parameters: [appid, openid, follows, at] };
}
