import { z } from 'zod';
import { queryRow, type SqlExecutor } from '../database/query-rows.js';
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
export type SubjectHolder = z.infer<typeof holder>;

const sql = `
  SELECT i.id AS identity_id, i.user_id AS identity_user_id,
         EXISTS (SELECT 1 FROM iam.identity_unions c
                 WHERE c.identity_id = i.id AND c.union_scope = $3 AND c.unionid = $4) AS identity_has_union,
         COALESCE(i.profile_read_at > now() - make_interval(secs => $5::int), false) AS profile_is_fresh,
         n.user_id AS union_user_id, u.status,
         u.id IS NULL AND EXISTS (
           SELECT 1 FROM iam.barred_subjects b
           WHERE b.subject_hash IN (iam.subject_hash('identity', $1, $2), iam.subject_hash('union', $3, $4))) AS is_barred
  FROM (VALUES (1)) AS one
  LEFT JOIN iam.identities i ON i.appid = $1 AND i.openid = $2
  LEFT JOIN iam.unions n ON n.union_scope = $3 AND n.unionid = $4
  LEFT JOIN iam.users u ON u.id = COALESCE(i.user_id, n.user_id)`;

/** One round trip. `freshness` is the age in seconds up to which a stored profile is not read again. */
export async function findSubject(
  executor: SqlExecutor,
  subject: Pick<Subject, 'appid' | 'openid' | 'unionScope' | 'unionid'>,
  freshness: number,
): Promise<SubjectHolder> {
  const row = await queryRow(executor, holder, sql, [
    subject.appid,
    subject.openid,
    subject.unionScope,
    subject.unionid,
    freshness,
  ]);
  if (row === null) throw new Error('a VALUES row is always there');
  return row;
}
