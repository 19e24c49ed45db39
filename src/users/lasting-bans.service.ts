import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { plainText } from '../database/database-errors.js';
import { defineList, ListFilter, rowId, rowTime } from '../database/list.js';
import { hasRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';

const isErased = sql`NOT EXISTS (SELECT 1 FROM iam.users u WHERE u.id = b.user_id)`;

const row = z.object({
  id: rowId.describe('The user who was disabled and erased, as in the audit log'),
  banned_at: rowTime,
  identities: z.int().describe('How many identities stay barred'),
  unions: z.int().describe('How many unionids stay barred'),
});

const bans = sql`(
  SELECT b.user_id AS id, min(b.created_at) AS banned_at, count(*) FILTER (WHERE b.kind = 'identity')::int AS identities,
         count(*) FILTER (WHERE b.kind = 'union')::int AS unions
  FROM iam.barred_subjects b WHERE ${isErased} GROUP BY b.user_id
) ban`;

const name = plainText(128).optional();

const list = defineList(
  { row, columns: sql`ban.id, ban.banned_at, ban.identities, ban.unions`, from: bans, key: 'ban.id' },
  {
    appid: name,
    openid: name.describe('With `appid`: the ban that covers this identity'),
    union_scope: name,
    unionid: name.describe('With `union_scope`: the ban that covers this unionid'),
  },
);

/** Lasting bans as administrators look for them: all, or the one that covers an identity or a unionid. */
export const banList = {
  ...list,
  query: list.query
    .refine(({ appid, openid, union_scope, unionid }) => {
      const isWhole = (appid === undefined) === (openid === undefined);
      const isWholeUnion = (union_scope === undefined) === (unionid === undefined);
      return isWhole && isWholeUnion && (openid === undefined || unionid === undefined);
    }, 'takes appid with openid, or union_scope with unionid')
    .transform(({ appid, openid, union_scope, unionid, ...page }) => ({
      ...page,
      ...(openid !== undefined && { covering: covering('identity', appid, openid) }),
      ...(unionid !== undefined && { covering: covering('union', union_scope, unionid) }),
    })),
};

function covering(kind: 'identity' | 'union', namespace: string | undefined, subject: string): ListFilter {
  return new ListFilter(sql`ban.id = (
    SELECT c.user_id FROM iam.barred_subjects c
    WHERE c.subject_hash = iam.subject_hash(${kind}, ${namespace}, ${subject}))`);
}

const liftSql = (userId: string): Sql => sql`
  WITH lifted AS (
    DELETE FROM iam.barred_subjects b WHERE b.user_id = ${userId} AND ${isErased} RETURNING kind
  ), ban AS (
    SELECT count(*) FILTER (WHERE kind = 'identity')::int AS identities, count(*) FILTER (WHERE kind = 'union')::int AS unions
    FROM lifted HAVING count(*) > 0
  ), audited AS (
    ${insertAudit({ action: 'user.ban_lifted', userId }, { from: sql`ban`, detail: sql`to_jsonb(ban)` })}
  )
  SELECT identities FROM ban`;

/** Bans of erased users. The ban of an existing user is lifted by enabling them. */
@Injectable()
export class LastingBans {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Lets the person sign up again, as a new user. @throws IamError `not_found` */
  async lift(userId: string): Promise<void> {
    if (!isUuid(userId) || !(await hasRow(this.dataSource, liftSql(userId))))
      throw new IamError('not_found', 'no ban of an erased user');
  }
}
