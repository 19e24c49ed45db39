import { z } from 'zod';
import { pageQuery } from '../page.js';
import { plainText } from '../../database/database-errors.js';

/** `GET /admin/roles`: sorted by name. */
export const roleQuery = pageQuery
  .omit({ order: true })
  .extend({ q: plainText(63).optional().describe('The beginning of a name') });

const permission = z
  .string()
  .max(128)
  .regex(/^(\*|[a-z0-9_-]+(:[a-z0-9_-]+)*(:\*)?)$/, {
    error: 'lower-case segments with colons, such as orders:refund, orders:* or *',
  });

const writable = {
  description: z
    .string()
    .trim()
    .max(500)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'no control characters' }),
  permissions: z
    .array(permission)
    .max(200)
    .transform((permissions) => [...new Set(permissions)]),
  is_default: z.boolean(),
};

/** `POST /admin/roles`. */
export const createRoleBody = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'lower-case letters, digits, - and _, at most 63' }),
  description: writable.description.optional(),
  permissions: writable.permissions.optional(),
  is_default: writable.is_default.optional().describe('New users get it'),
});

/** `PATCH /admin/roles/{name}`: what is left out stays. A name stays for good: tokens carry it. */
export const updateRoleBody = createRoleBody.omit({ name: true });
