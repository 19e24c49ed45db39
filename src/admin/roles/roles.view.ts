import { z } from 'zod';
import type { Role } from '../../roles/roles.service.js';
import { toEtag } from '../etag.js';
import { pageOf } from '../page.js';

/** A role as it is answered. */
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

/** Somebody who answers for sign-ins. */
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
