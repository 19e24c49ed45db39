import type { Provider } from '@nestjs/common';
import type { z } from 'zod';
import { updateRoleBody } from '../src/admin/roles.requests.js';
import { toRoleView } from '../src/admin/roles.view.js';
import type { Role } from '../src/roles/find-role.js';
import { Roles } from '../src/roles/roles.service.js';
import type { Arguments } from './arguments.js';
import type { OptionSpec } from './command.js';
import { UsageError } from './errors.js';
import { table } from './table.js';
import { toBoolean } from './to-boolean.js';

/** What the commands about roles are made of. */
export const roleServices: readonly Provider[] = [Roles];

/** What may be said of a role. */
export const roleOptions: Readonly<Record<string, OptionSpec>> = {
  permission: { value: 'PERMISSION', summary: 'e.g. orders:refund, orders:* or *', repeated: true },
  description: { value: 'TEXT', summary: 'what it is for' },
  default: { value: 'true|false', summary: 'whether new users get it' },
};

/** By the rules of the admin API. @throws UsageError that names the option */
export function readRole(given: Arguments): z.infer<typeof updateRoleBody> {
  const [description, isDefault] = [given.value('description'), given.value('default')];
  const result = updateRoleBody.safeParse({
    ...(description !== undefined && { description }),
    ...(given.has('permission') && { permissions: given.values('permission') }),
    ...(isDefault !== undefined && { is_default: toBoolean(isDefault) }),
  });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const option =
    { permissions: 'permission', is_default: 'default' }[String(issue?.path[0])] ?? 'description';
  throw new UsageError(`--${option}: ${issue?.message ?? 'not valid'}`);
}

/** Roles as the admin API answers them. */
export function roleMembers(role: Role): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(toRoleView(role)).filter(([name]) => name !== 'etag'));
}

/** Roles for people. */
export function roleTable(roles: readonly Role[]): string {
  const rows = roles.map((role) => [
    role.name,
    role.permissions.join(' '),
    role.is_default,
    role.description,
  ]);
  return table(['role', 'permissions', 'default', 'description'], rows);
}
