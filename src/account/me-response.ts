import { z } from 'zod';
import { identityExample } from './identity-view.js';

/** The signed-in user, as they see themself. */
export const meResponse = z.object({
  id: z.uuid(),
  external_id: z.string().nullable().meta({ description: 'The id under which the host knows the user' }),
  nickname: z.string().nullable(),
  avatar_url: z.string().nullable(),
  phone_number: z.string().nullable().meta({ description: 'With country code, verified by WeChat' }),
  phone_verified_at: z.iso.datetime().nullable(),
  deletion_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When the account is erased, by its user’s own wish' }),
  created_at: z.iso.datetime(),
  identities: z.array(
    z.object({ provider: z.string(), kind: z.string(), appid: z.string(), linked_at: z.string() }),
  ),
  roles: z.array(z.string()),
});

const { provider, kind, appid, linked_at } = identityExample;

/** A user, for descriptions. */
export const meExample: z.infer<typeof meResponse> = {
  id: '0198c0de-0000-7000-8000-000000000001',
  external_id: null,
  nickname: '小兰',
  avatar_url: 'https://thirdwx.qlogo.cn/mmopen/…/132',
  phone_number: '+8613800138000',
  phone_verified_at: '2026-02-01T09:30:00.000Z',
  deletion_at: null,
  created_at: '2026-01-31T08:00:00.000Z',
  identities: [{ provider, kind, appid, linked_at }],
  roles: [],
};
