import { z } from 'zod';
import { plainText } from '../../database/database-errors.js';
import { toEtag } from '../../http/iam-response.js';
import type { Role } from '../../roles/roles.service.js';
import { pageOf, pageQuery } from '../page.js';

/** `GET /admin/roles/{name}`. */
export const roleView = z.object({
  name: z.string(),
  description: z.string(),
  permissions: z.array(z.string()),
  is_default: z.boolean().describe('New users get it'),
  created_at: z.iso.datetime(),
  etag: z.string(),
});

/** `GET /admin/roles`. */
export const rolePage = pageOf(roleView);

/** For OpenAPI: a role for support staff. */
export const roleExample: z.infer<typeof roleView> = {
  name: 'support',
  description: 'Helps people who cannot sign in',
  permissions: ['iam:users:read', 'iam:logins:read', 'orders:*'],
  is_default: false,
  created_at: '2026-01-31T08:00:00.000Z',
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
};

/** Field by field. */
export function toRoleView(role: Role): z.infer<typeof roleView> {
  return {
    name: role.name,
    description: role.description,
    permissions: role.permissions,
    is_default: role.is_default,
    created_at: role.created_at.toISOString(),
    etag: toEtag(role.version),
  };
}

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
