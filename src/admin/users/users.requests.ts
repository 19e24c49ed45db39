import { z } from 'zod';
import { externalIdSchema } from '../../users/change-user.js';
import { pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

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
