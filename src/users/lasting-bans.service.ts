import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { keysetSql, type ListFilter, type PageRequest } from '../database/sql-fragments.js';
import { queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';

/** A subject that may be barred: an openid within its app, or a unionid within its union scope. */
export interface SoughtSubject {
  readonly kind: 'identity' | 'union';
  readonly namespace: string;
  readonly subject: string;
}

const lastingBan = z.object({
  id: z.string(),
  banned_at: z.date(),
  identities: z.number(),
  unions: z.number(),
});

/** A banned user who was erased: their id, and how many of their subjects stay barred. */
export type LastingBan = z.infer<typeof lastingBan>;

const isErased = sql`NOT EXISTS (SELECT 1 FROM iam.users u WHERE u.id = b.user_id)`;

const source = {
  columns: sql`ban.id, ban.banned_at, ban.identities, ban.unions`,
  from: sql`(
    SELECT b.user_id AS id, min(b.created_at) AS banned_at, count(*) FILTER (WHERE b.kind = 'identity')::int AS identities,
           count(*) FILTER (WHERE b.kind = 'union')::int AS unions
    FROM iam.barred_subjects b WHERE ${isErased} GROUP BY b.user_id
  ) ban`,
  key: 'ban.id',
};

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

  /** With `sought` only the ban that covers it. */
  page(sought: SoughtSubject | undefined, page: PageRequest): Promise<LastingBan[]> {
    const filters = sought === undefined ? [] : [covering(sought)];
    return queryRows(this.dataSource, lastingBan, keysetSql(source, filters, page));
  }

  /** Lets the person sign up again, as a new user. @throws IamError `not_found` */
  async lift(userId: string): Promise<void> {
    const row = isUuid(userId)
      ? await queryRow(this.dataSource, z.object({ identities: z.number() }), liftSql(userId))
      : null;
    if (row === null) throw new IamError('not_found', 'no ban of an erased user');
  }
}

function covering({ kind, namespace, subject }: SoughtSubject): ListFilter {
  return {
    condition: sql`ban.id = (
      SELECT c.user_id FROM iam.barred_subjects c
      WHERE c.subject_hash = iam.subject_hash(${kind}, ${namespace}, ${subject}))`,
  };
}
