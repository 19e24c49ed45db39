import { Injectable } from '@nestjs/common';
import { type Role, Roles, type RoleChanges, type RoleEdit } from '../../roles/roles.service.js';
import { AdminPermissions, type Admin } from '../admin-reach.service.js';

/** Changes of roles by administrators, who give and take no more than they hold themselves. */
@Injectable()
export class AdminRoles {
  constructor(
    private readonly roles: Roles,
    private readonly own: AdminPermissions,
  ) {}

  /** @throws IamError `already_exists`, `insufficient_permissions` */
  async create({ name, ...role }: RoleChanges & { readonly name: string }, admin: Admin): Promise<Role> {
    await this.own.requireAll(admin, role.permissions ?? []);
    return this.roles.create(name, role);
  }

  /** Based on the role whose permissions were checked, also without a version. @throws IamError as `Roles.change` */
  async update({ name, version }: RoleEdit, changes: RoleChanges, admin: Admin): Promise<Role> {
    const role = await this.roles.get(name);
    await this.own.requireAll(admin, decidedOn(role, changes));
    return this.roles.change({ name, version: version ?? role.version }, changes);
  }

  /** As `update`. */
  async remove({ name, version }: RoleEdit, admin: Admin): Promise<void> {
    const role = await this.roles.get(name);
    await this.own.requireAll(admin, role.permissions);
    await this.roles.remove({ name, version: version ?? role.version });
  }
}

/** The permissions that users get or lose by a change: all of the role's when `is_default` changes. */
function decidedOn(
  role: Role,
  { permissions = role.permissions, is_default = role.is_default }: RoleChanges,
): readonly string[] {
  if (is_default !== role.is_default) return [...role.permissions, ...permissions];
  const added = permissions.filter((permission) => !role.permissions.includes(permission));
  const taken = role.permissions.filter((permission) => !permissions.includes(permission));
  return [...added, ...taken];
}
