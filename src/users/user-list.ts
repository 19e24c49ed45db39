import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { plainText } from '../database/database-errors.js';
import {
  defineList,
  equal,
  filter,
  ListFilter,
  prefixPattern,
  rowId,
  rowMasked,
  rowTime,
} from '../database/list.js';
import { queryRow, sql, raw, type Sql, type SqlExecutor } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { maskPhoneNumber } from '../wechat/phone-number.js';
import { externalIdSchema } from './change-user.js';
import { userVersionSql } from './lock-users.js';
import { subjectSchema } from './subject.js';
import { profileAuthors, userStatuses } from './user.entity.js';

const row = z.object({
  id: rowId,
  external_id: z.string().nullable(),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  status: z.enum(userStatuses),
  merged_into: rowId.nullable(),
  roles: z.array(z.string()),
  identity_count: z.int(),
  phone_number: rowMasked(maskPhoneNumber).nullable().describe('Its last digits'),
  deletion_at: rowTime.nullable(),
  /** Of the sessions that are still kept. */
  last_sign_in_at: rowTime.nullable(),
  created_at: rowTime,
});
const identity = z.object({
  id: rowId,
  provider: z.string(),
  kind: subjectSchema.shape.appKind,
  appid: z.string(),
  openid: z.string(),
  unionid: z.string().nullable(),
  union_scope: z.string(),
  follows: z.boolean().nullable(),
  profile_read_at: rowTime.nullable(),
  withdrawn_at: rowTime.nullable(),
  linked_at: rowTime,
});

/** A user with all that is known of them; `version` changes with any column of the row. */
export const detailedUser = row.extend({
  nickname_by: z.enum(profileAuthors),
  updated_at: rowTime,
  phone_number: z
    .string()
    .nullable()
    .describe('In full for who has `iam:phone_numbers:read`; else its last digits'),
  phone_verified_at: rowTime.nullable(),
  phone_appid: z.string().nullable().describe('The mini program through which the number came'),
  identities: z.array(identity),
  version: z.string(),
});

/** A user as a list shows them. */
export type ListedUser = z.infer<typeof row>;

/** See `detailedUser`. */
export type DetailedUser = z.infer<typeof detailedUser>;

const columns = sql`
  u.id, u.external_id, u.nickname, u.avatar_url, u.status, u.merged_into, u.phone_number, u.deletion_at, u.created_at,
  ARRAY(SELECT held.role FROM iam.user_roles held WHERE held.user_id = u.id ORDER BY held.role) AS roles,
  (SELECT max(begun.created_at) FROM iam.sessions begun WHERE begun.user_id = u.id) AS last_sign_in_at,
  (SELECT count(*)::int FROM iam.identities counted WHERE counted.user_id = u.id) AS identity_count`;

const detailSql = (id: string): Sql => sql`
  SELECT ${columns}, u.nickname_by, u.updated_at, u.phone_verified_at, u.phone_appid, ${userVersionSql} AS version,
         COALESCE((
           SELECT jsonb_agg(jsonb_build_object(
             'id', i.id, 'provider', i.provider, 'kind', i.app_kind, 'appid', i.appid, 'openid', i.openid,
             'unionid', i.unionid, 'union_scope', i.union_scope, 'follows', i.follows, 'profile_read_at', i.profile_read_at,
             'withdrawn_at', i.withdrawn_at, 'linked_at', i.created_at) ORDER BY i.id)
           FROM iam.identities i WHERE i.user_id = u.id), '[]') AS identities
  FROM iam.users u WHERE u.id = ${id}`;

const nicknameBegins = (text: string): Sql => sql`lower(u.nickname) LIKE lower(${prefixPattern(text)})`;

const usersWith = (column: 'openid' | 'unionid', value: string): Sql =>
  sql`SELECT i.user_id FROM iam.identities i WHERE i.${raw(column)} = ${value}`;

/** Fewer digits without a calling code are no number. */
const LEAST_DIGITS = 6;

/** The digits of a phone number as people write them, with `+` if they begin with a calling code; null for another text. */
function phoneDigits(text: string): string | null {
  if (!/^\s*\+?[\d\s().-]+$/.test(text)) return null;
  const digits = text.replace(/\D/g, '');
  const international = /^\s*(?:\+|00)/.test(text);
  if (digits.length < LEAST_DIGITS) return null;
  return international ? `+${digits.replace(/^00/, '')}` : digits.replace(/^0+/, '');
}

/** A number as it is in E.164, or as it is dialled in its country: any calling code of one to three digits may stand before it. */
function hasPhoneNumber(text: string): Sql {
  const digits = phoneDigits(text);
  if (digits === null) return sql`false`;
  if (digits.startsWith('+')) return sql`reverse(u.phone_number) = reverse(${digits}::text)`;
  return sql`(reverse(u.phone_number) LIKE reverse(${digits}::text) || '%' AND length(u.phone_number) <= ${digits.length + 4}::int)`;
}

/** Each way of comparing has an index, whose findings are joined. */
const anywhere = (text: string, hasNumber: Sql): Sql => sql`(
  u.id = ${isUuid(text) ? text : null}::uuid OR u.external_id = ${text} OR ${nicknameBegins(text)} OR ${hasNumber}
  OR u.id = ANY (ARRAY(${usersWith('openid', text)} UNION ALL ${usersWith('unionid', text)})))`;

/** A search for anything; `withoutNumbers` is for who may not read phone numbers, and null where the text is none. */
class SearchFilter extends ListFilter {
  readonly withoutNumbers: ListFilter | null;

  constructor(text: string) {
    super(anywhere(text, hasPhoneNumber(text)));
    this.withoutNumbers = phoneDigits(text) === null ? null : new ListFilter(anywhere(text, sql`false`));
  }
}

const holding = (role: string) =>
  new ListFilter(sql`r.user_id = u.id AND r.role = ${role}`, {
    join: sql`iam.user_roles r`,
    key: 'r.user_id',
  });

/** Of several identities by one provider the first stands for all. */
const signingInBy = (provider: string) =>
  new ListFilter(
    sql`p.user_id = u.id AND p.provider = ${provider} AND NOT EXISTS (
      SELECT 1 FROM iam.identities e WHERE e.user_id = p.user_id AND e.provider = ${provider} AND e.id < p.id)`,
    { join: sql`iam.identities p`, key: 'p.user_id' },
  );

const name = plainText(128);

/** Users as administrators look for them. */
export const userList = defineList(
  { row, columns, from: sql`iam.users u`, key: 'u.id' },
  {
    q: name
      .describe(
        'An exact id, external_id, openid, unionid or, for who has `iam:phone_numbers:read`, phone number, or the beginning of a nickname',
      )
      .transform((text) => new SearchFilter(text))
      .optional(),
    phone_number: filter(
      plainText(40).describe(
        'By E.164, or as it is dialled in its country; for who has `iam:phone_numbers:read`',
      ),
      hasPhoneNumber,
    ),
    nickname: filter(name.describe('Its beginning; upper and lower case are the same'), nicknameBegins),
    openid: filter(name, (openid) => sql`u.id = ANY (ARRAY(${usersWith('openid', openid)}))`),
    unionid: filter(name, (unionid) => sql`u.id = ANY (ARRAY(${usersWith('unionid', unionid)}))`),
    external_id: equal('u.external_id', externalIdSchema),
    status: equal('u.status', row.shape.status),
    deleting: filter(
      z.stringbool().describe('true: asked for their account to be erased, and may still keep it'),
      (isDeleting) => (isDeleting ? sql`u.deletion_at IS NOT NULL` : sql`u.deletion_at IS NULL`),
    ),
    role: filter(name, holding),
    provider: filter(
      plainText(64).describe('Slug of a provider by which an identity was first seen'),
      signingInBy,
    ),
  },
);

/** @throws IamError `not_found` */
export async function getDetailedUser(executor: SqlExecutor, id: string): Promise<DetailedUser> {
  const user = isUuid(id) ? await queryRow(executor, detailedUser, detailSql(id)) : null;
  if (user === null) throw new IamError('not_found', 'no user has this id');
  return user;
}
