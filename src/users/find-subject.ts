import { z } from 'zod';
import { queryRow, type SqlExecutor, sql, type Sql } from '../database/sql.js';
import type { Subject } from './subject.js';

const holder = z.object({
  identity_id: z.string().nullable(),
  identity_user_id: z.string().nullable(),
  /** The identity already carries exactly this unionid of this scope. */
  identity_has_union: z.boolean(),
  profile_is_fresh: z.boolean(),
  union_user_id: z.string().nullable(),
  /** The identity's owner, else the union's. */
  status: z.enum(['active', 'disabled', 'merged']).nullable(),
  /** Nobody's, and covered by the ban of a user who is gone or has lost it. */
  is_barred: z.boolean(),
});

/** Who owns a subject now: by `(appid, openid)`, by unionid, by both or by neither. */
export type SubjectMatch = z.infer<typeof holder>;

type SoughtSubject = Pick<Subject, 'appid' | 'openid' | 'unionScope' | 'unionid'>;

const holderSql = ({ appid, openid, unionScope, unionid }: SoughtSubject, freshness: number): Sql => sql`
  SELECT i.id AS identity_id, i.user_id AS identity_user_id,
         EXISTS (SELECT 1 FROM iam.identity_unions c
                 WHERE c.identity_id = i.id AND c.union_scope = ${unionScope} AND c.unionid = ${unionid}) AS identity_has_union,
         COALESCE(i.profile_read_at > now() - make_interval(secs => ${freshness}::int), false) AS profile_is_fresh,
         n.user_id AS union_user_id, u.status,
         u.id IS NULL AND EXISTS (
           SELECT 1 FROM iam.barred_subjects b
           WHERE b.subject_hash IN (iam.subject_hash('identity', ${appid}, ${openid}), iam.subject_hash('union', ${unionScope}, ${unionid}))) AS is_barred
  FROM (VALUES (1)) AS one
  LEFT JOIN iam.identities i ON i.appid = ${appid} AND i.openid = ${openid}
  LEFT JOIN iam.unions n ON n.union_scope = ${unionScope} AND n.unionid = ${unionid}
  LEFT JOIN iam.users u ON u.id = COALESCE(i.user_id, n.user_id)`;

/** One round trip. `freshness` is the age in seconds up to which a stored profile is not read again. */
export async function findSubject(
  executor: SqlExecutor,
  subject: SoughtSubject,
  freshness: number,
): Promise<SubjectMatch> {
  const row = await queryRow(executor, holder, holderSql(subject, freshness));
  if (row === null) throw new Error('a VALUES row is always there');
  return row;
}
