import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { rowId, rowTime } from '../database/list.js';
import { queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { removeIdentity, type IdentityKey } from './identity-data.js';

/** An identity as its owner sees it: no openid, no unionid. */
export const userIdentity = z.object({
  id: rowId,
  provider: z.string().describe('The row through which it was first seen'),
  kind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  linked_at: rowTime,
  follows: z
    .boolean()
    .nullable()
    .describe('Follows the Official Account; null as long as no event has said so'),
});

/** See `userIdentity`. */
export type UserIdentity = Readonly<z.infer<typeof userIdentity>>;

/** An identity that was taken from its user. */
export interface UnlinkedIdentity extends IdentityKey {
  readonly provider: string;
  /** Another identity of the user has the same `unionid`, so that a sign-in with this one finds the same user again. */
  readonly rejoins: boolean;
}

const columns = sql`i.id, i.provider, i.app_kind AS kind, i.appid, i.created_at AS linked_at, i.follows`;

/** The user, or the one they were merged into; a row without identity where there is none. */
const listSql = (userId: string): Sql => sql`
  SELECT ${columns}
  FROM iam.users given JOIN iam.users u ON u.id = COALESCE(given.merged_into, given.id)
  LEFT JOIN iam.identities i ON i.user_id = u.id
  WHERE given.id = ${userId} AND u.status = 'active' ORDER BY i.id`;

/** The user's row is locked. */
const unlinkableSql = (id: string, userId: string): Sql => sql`
  SELECT i.provider, i.appid, i.openid, i.unionid,
         EXISTS (SELECT 1 FROM iam.identities o WHERE o.user_id = ${userId} AND o.id <> i.id) AS has_others
  FROM iam.identities i WHERE i.id = ${id} AND i.user_id = ${userId}`;

const unlinkable = z.object({
  provider: z.string(),
  appid: z.string(),
  openid: z.string(),
  unionid: z.string().nullable(),
  has_others: z.boolean(),
});

/** In any scope, since another row of the app may have it. */
const rejoinsSql = (userId: string, unionid: string | null): Sql => sql`
  SELECT EXISTS (SELECT 1 FROM iam.unions WHERE user_id = ${userId} AND unionid = ${unionid}) AS rejoins`;

/** The identities of a user, as the user sees them, and how one is taken away. */
@Injectable()
export class UserIdentities {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** All of them, the oldest first. @throws IamError `user_disabled` */
  async list(userId: string): Promise<UserIdentity[]> {
    const row = userIdentity.or(z.object({ id: z.null() }));
    const rows = await queryRows(this.dataSource, row, listSql(userId));
    if (rows.length === 0) throw new IamError('user_disabled', `user ${userId} is not active`);
    return rows.filter((each): each is UserIdentity => each.id !== null);
  }

  /** @throws IamError `not_found` for an identity of another user */
  async get(userId: string, id: string): Promise<UserIdentity> {
    const one = sql`SELECT ${columns} FROM iam.identities i WHERE i.id = ${id} AND i.user_id = ${userId}`;
    const row = await queryRow(this.dataSource, userIdentity, one);
    if (row === null) throw new IamError('not_found', 'no identity of this user');
    return row;
  }

  /**
   * Removes an identity of a user whose row the caller has locked: of the last two only one can be removed. `evenLast` is
   * for administrators.
   * @throws IamError `not_found` or `last_identity`
   */
  async unlink(
    manager: EntityManager,
    userId: string,
    id: string,
    { evenLast = false }: { readonly evenLast?: boolean } = {},
  ): Promise<UnlinkedIdentity> {
    const row = isUuid(id) ? await queryRow(manager, unlinkable, unlinkableSql(id, userId)) : null;
    if (row === null) throw new IamError('not_found', 'no identity of this user');
    if (!row.has_others && !evenLast)
      throw new IamError('last_identity', 'nobody could sign in as this user any more');
    const { provider, appid, openid, unionid } = row;
    await removeIdentity(manager, { appid, openid });
    const left = await queryRow(manager, z.object({ rejoins: z.boolean() }), rejoinsSql(userId, unionid));
    return { provider, appid, openid, rejoins: left?.rejoins === true };
  }
}
