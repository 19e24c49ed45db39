import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import {
  filterBy,
  keysetSql,
  prefixPattern,
  type ListFilter,
  type PageRequest,
  versionSql,
} from '../database/sql-fragments.js';
import { queryRow, queryRows, sql, raw, type Sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';

/** How the list of users is narrowed down; all that are given must be met. */
export interface UserFilter {
  /** An exact id, external id, openid or unionid, or the beginning of a nickname. */
  readonly q?: string | undefined;
  readonly nickname?: string | undefined;
  readonly openid?: string | undefined;
  readonly unionid?: string | undefined;
  readonly externalId?: string | undefined;
  readonly status?: string | undefined;
  readonly role?: string | undefined;
  readonly provider?: string | undefined;
}

const listed = z.object({
  id: z.string(),
  external_id: z.string().nullable(),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  status: z.enum(['active', 'disabled', 'merged']),
  merged_into: z.string().nullable(),
  roles: z.array(z.string()),
  identity_count: z.number(),
  deletion_at: z.date().nullable(),
  created_at: z.date(),
});
const identity = z.object({
  id: z.string(),
  provider: z.string(),
  kind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  openid: z.string(),
  unionid: z.string().nullable(),
  follows: z.boolean().nullable(),
  linked_at: z.string().transform((at) => new Date(at)),
});
const detailed = listed.extend({
  updated_at: z.date(),
  phone_number: z.string().nullable(),
  phone_verified_at: z.date().nullable(),
  identities: z.array(identity),
  version: z.string(),
});

/** A user as a list shows them. */
export type ListedUser = z.infer<typeof listed>;

/** A user with all that is known of them; `version` changes with any column of the row. */
export type DetailedUser = z.infer<typeof detailed>;

const columns = sql`
  u.id, u.external_id, u.nickname, u.avatar_url, u.status, u.merged_into, u.deletion_at, u.created_at,
  ARRAY(SELECT held.role FROM iam.user_roles held WHERE held.user_id = u.id ORDER BY held.role) AS roles,
  (SELECT count(*)::int FROM iam.identities counted WHERE counted.user_id = u.id) AS identity_count`;

const detailSql = (id: string): Sql => sql`
  SELECT ${columns}, u.updated_at, u.phone_number, u.phone_verified_at, ${versionSql('u')} AS version,
         COALESCE((
           SELECT jsonb_agg(jsonb_build_object(
             'id', i.id, 'provider', i.provider, 'kind', i.app_kind, 'appid', i.appid, 'openid', i.openid,
             'unionid', i.unionid, 'follows', i.follows, 'linked_at', i.created_at) ORDER BY i.id)
           FROM iam.identities i WHERE i.user_id = u.id), '[]') AS identities
  FROM iam.users u WHERE u.id = ${id}`;

/** Users as administrators look for them. */
@Injectable()
export class UserList {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** One round trip. */
  async page(filter: UserFilter, page: PageRequest): Promise<ListedUser[]> {
    const source = { columns, from: sql`iam.users u`, key: 'u.id' };
    return queryRows(this.dataSource, listed, keysetSql(source, filtersOf(filter), page));
  }

  /** Null: no user has this id, or it is none at all. */
  async find(id: string): Promise<DetailedUser | null> {
    return isUuid(id) ? queryRow(this.dataSource, detailed, detailSql(id)) : null;
  }
}

function filtersOf(filter: UserFilter): ListFilter[] {
  return [
    ...(filter.q === undefined ? [] : [anywhere(filter.q)]),
    ...filterBy(filter.nickname && prefixPattern(filter.nickname), nicknameBegins),
    ...filterBy(filter.openid, (openid) => sql`u.id = ANY (ARRAY(${usersWith('openid', openid)}))`),
    ...filterBy(filter.unionid, (unionid) => sql`u.id = ANY (ARRAY(${usersWith('unionid', unionid)}))`),
    ...filterBy(filter.externalId, (externalId) => sql`u.external_id = ${externalId}`),
    ...filterBy(filter.status, (status) => sql`u.status = ${status}`),
    ...(filter.role === undefined ? [] : [holding(filter.role)]),
    ...(filter.provider === undefined ? [] : [signingInBy(filter.provider)]),
  ];
}

const nicknameBegins = (pattern: string): Sql => sql`lower(u.nickname) LIKE lower(${pattern})`;

const usersWith = (column: 'openid' | 'unionid', value: string): Sql =>
  sql`SELECT i.user_id FROM iam.identities i WHERE i.${raw(column)} = ${value}`;

/** Each way of comparing has an index, whose findings are joined. */
function anywhere(text: string): ListFilter {
  return {
    condition: sql`(
      u.id = ${isUuid(text) ? text : null}::uuid OR u.external_id = ${text} OR ${nicknameBegins(prefixPattern(text))}
      OR u.id = ANY (ARRAY(${usersWith('openid', text)} UNION ALL ${usersWith('unionid', text)})))`,
  };
}

function holding(role: string): ListFilter {
  return {
    join: sql`iam.user_roles r`,
    key: 'r.user_id',
    condition: sql`r.user_id = u.id AND r.role = ${role}`,
  };
}

/** Of several identities by one provider the first stands for all. */
function signingInBy(provider: string): ListFilter {
  return {
    join: sql`iam.identities p`,
    key: 'p.user_id',
    condition: sql`p.user_id = u.id AND p.provider = ${provider} AND NOT EXISTS (
      SELECT 1 FROM iam.identities e WHERE e.user_id = p.user_id AND e.provider = ${provider} AND e.id < p.id)`,
  };
}
