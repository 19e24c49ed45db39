import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { RolePermissions } from './role-permissions.service.js';
import { Roles } from './roles.service.js';
import { UserRoles } from './user-roles.service.js';

/** Roles, what they permit and who has them. */
@Global()
@Module({
  imports: [RuntimeModule],
  providers: [UserRoles, RolePermissions, Roles],
  exports: [UserRoles, RolePermissions, Roles],
})
export class RolesModule {}
