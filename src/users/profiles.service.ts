import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { rowId, rowTime } from '../database/list.js';
import { queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { subjectSchema } from './subject.js';

const identity = z.object({
  provider: z.string(),
  kind: z.string(),
  appid: z.string(),
  linked_at: z.string(),
});

/** A user, as they see their own record: no openid, no unionid. */
export const profile = z.object({
  id: rowId,
  external_id: z.string().nullable().describe('The id under which the host knows the user'),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  phone_number: z.string().nullable().describe('With country code, verified by WeChat'),
  phone_verified_at: rowTime.nullable(),
  deletion_at: rowTime.nullable().describe('When the account is erased, by its user’s own wish'),
  created_at: rowTime,
  identities: z.array(identity),
});

const profileSql = (userId: string): Sql => sql`
  SELECT u.id, u.external_id, u.nickname, u.avatar_url, u.phone_number, u.phone_verified_at, u.deletion_at, u.created_at,
         COALESCE((
           SELECT jsonb_agg(jsonb_build_object('provider', i.provider, 'kind', i.app_kind, 'appid', i.appid, 'linked_at', i.created_at)
                            ORDER BY i.id)
           FROM iam.identities i WHERE i.user_id = u.id), '[]') AS identities
  FROM iam.users given JOIN iam.users u ON u.id = COALESCE(given.merged_into, given.id)
  WHERE given.id = ${userId} AND u.status = 'active'`;

/** An identity as its owner sees it: no openid, no unionid. */
export const userIdentity = z.object({
  id: rowId,
  provider: z.string().describe('The row through which it was first seen'),
  kind: subjectSchema.shape.appKind,
  appid: z.string(),
  linked_at: rowTime,
  follows: z
    .boolean()
    .nullable()
    .describe('Follows the Official Account; null as long as no event has said so'),
});

/** See `userIdentity`. */
export type UserIdentity = Readonly<z.infer<typeof userIdentity>>;

const columns = sql`i.id, i.provider, i.app_kind AS kind, i.appid, i.created_at AS linked_at, i.follows`;

const identityOrNone = userIdentity.or(z.object({ id: z.null() }));
const nicknameRow = z.object({ nickname: z.string().nullable() });

/** The user, or the one they were merged into; a row without identity where there is none. */
const listSql = (userId: string): Sql => sql`
  SELECT ${columns}
  FROM iam.users given JOIN iam.users u ON u.id = COALESCE(given.merged_into, given.id)
  LEFT JOIN iam.identities i ON i.user_id = u.id
  WHERE given.id = ${userId} AND u.status = 'active' ORDER BY i.id`;

/** Users and their identities, as they see them themselves. */
@Injectable()
export class Profiles {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** The profile of a user, or of the one they were merged into. @throws IamError `user_disabled` */
  async get(userId: string): Promise<z.infer<typeof profile>> {
    const row = await queryRow(this.dataSource, profile, profileSql(userId));
    if (row === null) throw new IamError('user_disabled', `user ${userId} is not active`);
    return row;
  }

  /** All identities of a user, the oldest first. @throws IamError `user_disabled` */
  async listIdentities(userId: string): Promise<UserIdentity[]> {
    const rows = await queryRows(this.dataSource, identityOrNone, listSql(userId));
    if (rows.length === 0) throw new IamError('user_disabled', `user ${userId} is not active`);
    return rows.filter((each): each is UserIdentity => each.id !== null);
  }

  /** @throws IamError `not_found` for an identity of another user */
  async getIdentity(userId: string, id: string): Promise<UserIdentity> {
    const one = sql`SELECT ${columns} FROM iam.identities i WHERE i.id = ${id} AND i.user_id = ${userId}`;
    const row = await queryRow(this.dataSource, userIdentity, one);
    if (row === null) throw new IamError('not_found', 'no identity of this user');
    return row;
  }

  /** The nickname of a user, if there is one. */
  async findNickname(userId: string): Promise<string | null> {
    const nickname = sql`SELECT nickname FROM iam.users WHERE id = ${userId}`;
    return (await queryRow(this.dataSource, nicknameRow, nickname))?.nickname ?? null;
  }
}
