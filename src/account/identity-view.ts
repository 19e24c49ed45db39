import { z } from 'zod';
import type { UserIdentity } from '../users/user-identities.service.js';

/** An identity as its owner sees it. */
export const identityView = z.object({
  id: z.uuid(),
  provider: z.string().meta({ description: 'The row through which it was first seen' }),
  kind: z.enum(['open', 'mp', 'mini', 'mobile']),
  appid: z.string(),
  linked_at: z.iso.datetime(),
  follows: z
    .boolean()
    .nullable()
    .meta({ description: 'Follows the Official Account; null as long as no event has said so' }),
});

/** Every identity of a user, the oldest first. */
export const identitiesResponse = z.object({ items: z.array(identityView) });

/** Field by field: neither openid nor unionid. */
export function toIdentityView(identity: UserIdentity): z.infer<typeof identityView> {
  return {
    id: identity.id,
    provider: identity.provider,
    kind: identity.kind,
    appid: identity.appid,
    linked_at: identity.linked_at.toISOString(),
    follows: identity.follows,
  };
}

/** An identity, for descriptions. */
export const identityExample: z.infer<typeof identityView> = {
  id: '0198c0de-0000-7000-8000-000000000003',
  provider: 'wechat',
  kind: 'mini',
  appid: 'wx0000000000000003',
  linked_at: '2026-01-31T08:00:00.000Z',
  follows: null,
};
