import { z } from 'zod';
import type { DetailedUser, ListedUser } from '../../users/user-list.service.js';
import { pageOf } from '../page.js';

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

/** What `GET /admin/users` answers. */
export const userPage = pageOf(userItem);

/** What `GET /admin/users/{id}` answers; its `ETag` is the version of the user's own columns. */
export const userDetail = userItem.extend({
  updated_at: time,
  phone_number: z.string().nullable(),
  phone_verified_at: time.nullable(),
  identities: z.array(identityItem),
  live_sessions: z.int(),
});

/** What `GET /admin/users/{id}/roles` answers. */
export const userRoles = z.object({ roles: z.array(z.string()) });

/** What a merge answers: who stays, and who is merged into them. */
export const mergeResponse = z.object({ id: z.uuid(), merged: z.uuid() });

/** A user as a list of the admin API shows them. */
export function toUserItem(row: ListedUser): z.infer<typeof userItem> {
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

/** A user with all that is known of them. */
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

const exampleItem: z.infer<typeof userItem> = {
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

/** An answer as a front-end gets it. */
export const userPageExample: z.infer<typeof userPage> = { items: [exampleItem], next_cursor: null };

/** An answer as a front-end gets it. */
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
