import { z } from 'zod';
import { externalIdSchema } from '../../users/change-user.js';
import { pageQuery, pageOf } from '../page.js';
import { plainText } from '../../database/database-errors.js';
import type { DetailedUser, ListedUser } from '../../users/user-list.service.js';
import type { LastingBan, SoughtSubject } from '../../users/lasting-bans.service.js';

const name = plainText(128);

/** `GET /admin/users`; filters that are given must all be met. */
export const userQuery = pageQuery.extend({
  q: name.optional().describe('An exact id, external_id, openid or unionid, or the beginning of a nickname'),
  nickname: name.optional().describe('Its beginning; upper and lower case are the same'),
  openid: name.optional(),
  unionid: name.optional(),
  external_id: externalIdSchema.optional(),
  status: z.enum(['active', 'disabled', 'merged']).optional(),
  role: name.optional(),
  provider: plainText(64).optional().describe('Slug of a provider by which an identity was first seen'),
});

const writable = {
  nickname: plainText(512).nullish().describe('Stored without control characters, at most 64 visible ones'),
  external_id: externalIdSchema.nullish().describe('The id under which the host knows the user'),
};

/** `POST /admin/users`. */
export const createUserBody = z.strictObject({
  ...writable,
  roles: z.array(name).max(50).default([]),
});

/** `PATCH /admin/users/{id}`; what is left out stays, null removes. */
export const updateUserBody = z.strictObject(writable);

/** `POST /admin/users/{id}/disable`. */
export const disableBody = z.strictObject({
  reason: plainText(500)
    .optional()
    .describe('For the audit log, of which the user may export what concerns them'),
});

/** `POST /admin/users/{id}/merge`. */
export const mergeBody = z.strictObject({
  other: z.uuid().describe('The other user; the older of the two stays'),
  force: z
    .boolean()
    .optional()
    .describe(
      'Also two whom WeChat takes for two people, as after an app moved to another Open Platform account',
    ),
});

/** `DELETE /admin/users/{id}/identities/{identityId}`. */
export const unlinkQuery = z.object({
  force: z
    .stringbool()
    .default(false)
    .describe('Also the last identity: nobody can sign in as the user then'),
});

const time = z.iso.datetime();

const userItem = z.object({
  id: z.uuid(),
  external_id: z.string().nullable(),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  status: z.enum(['active', 'disabled', 'merged']),
  merged_into: z.uuid().nullable(),
  roles: z.array(z.string()),
  identity_count: z.int(),
  deletion_at: time.nullable(),
  created_at: time,
});

/** A user as a list of the admin API shows them. */
export type UserItem = z.infer<typeof userItem>;

const identityItem = z.object({
  id: z.uuid(),
  provider: z.string(),
  kind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  openid: z.string(),
  unionid: z.string().nullable(),
  follows: z.boolean().nullable(),
  linked_at: time,
});

/** `GET /admin/users`. */
export const userPage = pageOf(userItem);

/** `GET /admin/users/{id}`; its `ETag` is the version of the user's own columns. */
export const userDetail = userItem.extend({
  updated_at: time,
  phone_number: z.string().nullable(),
  phone_verified_at: time.nullable(),
  identities: z.array(identityItem),
  live_sessions: z.int(),
});

/** `GET /admin/users/{id}/roles`. */
export const userRoles = z.object({ roles: z.array(z.string()) });

/** `POST /admin/users/{id}/merge`: the user that stays, and the one that was merged into it. */
export const mergeResponse = z.object({ id: z.uuid(), merged: z.uuid() });

/** Field by field. */
export function toUserItem(row: ListedUser): UserItem {
  return {
    id: row.id,
    external_id: row.external_id,
    nickname: row.nickname,
    avatar_url: row.avatar_url,
    status: row.status,
    merged_into: row.merged_into,
    roles: row.roles,
    identity_count: row.identity_count,
    deletion_at: row.deletion_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
  };
}

/** Field by field. */
export function toUserDetail(row: DetailedUser, liveSessions: number): z.infer<typeof userDetail> {
  return {
    ...toUserItem(row),
    updated_at: row.updated_at.toISOString(),
    phone_number: row.phone_number,
    phone_verified_at: row.phone_verified_at?.toISOString() ?? null,
    identities: row.identities.map(toIdentityItem),
    live_sessions: liveSessions,
  };
}

function toIdentityItem(row: DetailedUser['identities'][number]): z.infer<typeof identityItem> {
  return {
    id: row.id,
    provider: row.provider,
    kind: row.kind,
    appid: row.appid,
    openid: row.openid,
    unionid: row.unionid,
    follows: row.follows,
    linked_at: row.linked_at.toISOString(),
  };
}

const exampleItem: UserItem = {
  id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
  external_id: null,
  nickname: '小兰',
  avatar_url: 'https://thirdwx.qlogo.cn/mmopen/vi_32/…/132',
  status: 'active',
  merged_into: null,
  roles: ['support'],
  identity_count: 1,
  deletion_at: null,
  created_at: '2026-11-22T08:00:00.000Z',
};

/** For OpenAPI. */
export const userPageExample: z.infer<typeof userPage> = { items: [exampleItem], next_cursor: null };

/** For OpenAPI. */
export const userDetailExample: z.infer<typeof userDetail> = {
  ...exampleItem,
  updated_at: '2026-11-22T08:00:00.000Z',
  phone_number: null,
  phone_verified_at: null,
  identities: [
    {
      id: '01939a3c-4c11-7bbb-8d2f-1a2b3c4d5e6f',
      provider: 'wechat',
      kind: 'mp',
      appid: 'wx0123456789abcdef',
      openid: 'oLVPpjqs9BhvzwPj5A-vTYAX3GLc',
      unionid: 'o6_bmasdasdsad6_2sgVt7hMZOPfL',
      follows: true,
      linked_at: '2026-11-22T08:00:00.000Z',
    },
  ],
  live_sessions: 2,
};

/** `GET /admin/bans`. */
export const banQuery = pageQuery
  .extend({
    appid: name.optional(),
    openid: name.optional().describe('With `appid`: the ban that covers this identity'),
    union_scope: name.optional(),
    unionid: name.optional().describe('With `union_scope`: the ban that covers this unionid'),
  })
  .refine(({ appid, openid, union_scope, unionid }) => {
    const isWhole = (appid === undefined) === (openid === undefined);
    const isWholeUnion = (union_scope === undefined) === (unionid === undefined);
    return isWhole && isWholeUnion && (openid === undefined || unionid === undefined);
  }, 'takes appid with openid, or union_scope with unionid');

const banItem = z.object({
  id: z.uuid().describe('The user who was disabled and erased, as in the audit log'),
  banned_at: z.iso.datetime(),
  identities: z.int().describe('How many identities stay barred'),
  unions: z.int().describe('How many unionids stay barred'),
});

/** A ban as the admin API shows it. */
export type BanItem = z.infer<typeof banItem>;

/** `GET /admin/bans`. */
export const banPage = pageOf(banItem);

/** The subject that the query names; undefined where it names none. */
export function toSoughtSubject(query: z.infer<typeof banQuery>): SoughtSubject | undefined {
  const { appid, openid, union_scope, unionid } = query;
  if (appid !== undefined && openid !== undefined)
    return { kind: 'identity', namespace: appid, subject: openid };
  if (union_scope !== undefined && unionid !== undefined)
    return { kind: 'union', namespace: union_scope, subject: unionid };
  return undefined;
}

/** Field by field. */
export function toBanItem({ id, banned_at, identities, unions }: LastingBan): BanItem {
  return { id, banned_at: banned_at.toISOString(), identities, unions };
}

/** For OpenAPI. */
export const banPageExample: z.infer<typeof banPage> = {
  items: [
    {
      id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
      banned_at: '2026-11-22T08:00:00.000Z',
      identities: 2,
      unions: 1,
    },
  ],
  next_cursor: null,
};
