import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import { z } from 'zod';
import { adminPermissions } from '../../config/iam.permissions.js';
import { CurrentUser, IfMatch } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { created, type Created } from '../../http/iam-response.js';
import { Body, Query, ZodPipe } from '../../http/zod.pipe.js';
import { Roles } from '../../roles/roles.service.js';
import type { Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { readCursor, toPage } from '../page.js';
import { AdminRoles } from './roles.service.js';
import {
  createRoleBody,
  roleExample,
  rolePage,
  roleQuery,
  roleView,
  toRoleView,
  updateRoleBody,
} from './roles.view.js';

type RoleView = z.infer<typeof roleView>;

/** A role written in SQL may have any name. */
const anyName = /^[^\0]+$/;
const path = { name: 'The role' };

/** Roles and their permissions. */
@AdminController('roles')
export class AdminRolesController {
  constructor(
    private readonly roles: Roles,
    private readonly administration: AdminRoles,
  ) {}

  @Endpoint({
    summary: 'Roles by name',
    permission: 'iam:roles:read',
    responses: { 200: rolePage },
    example: { items: [roleExample], next_cursor: null },
  })
  @Get()
  async list(
    @Query(new ZodPipe(roleQuery)) { limit, cursor, q: prefix }: z.infer<typeof roleQuery>,
  ): Promise<z.infer<typeof rolePage>> {
    const rows = await this.roles.list({ after: readCursor(cursor, anyName), limit: limit + 1, prefix });
    return toPage(rows, { limit }, { keyOf: ({ name }) => name, toItem: toRoleView });
  }

  @Endpoint({
    summary: 'Create a role, of permissions that one holds oneself',
    permission: 'iam:roles:write',
    responses: { 201: roleView },
    example: roleExample,
    errors: ['already_exists'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(createRoleBody)) body: z.infer<typeof createRoleBody>,
    @CurrentUser() admin: Admin,
  ): Promise<Created<RoleView>> {
    const role = await this.administration.create(body, admin);
    return created(toRoleView(role), `admin/roles/${role.name}`);
  }

  @Endpoint({
    summary: 'One role, with its ETag',
    permission: 'iam:roles:read',
    path,
    responses: { 200: roleView },
    example: roleExample,
    errors: ['not_found'],
  })
  @Get(':name')
  async get(@Param('name') name: string): Promise<RoleView> {
    return toRoleView(await this.roles.get(name));
  }

  @Endpoint({
    summary:
      'Change a role, If-Match its ETag: its permissions act at once here and within five seconds elsewhere',
    permission: 'iam:roles:write',
    path,
    responses: { 200: roleView },
    example: roleExample,
    errors: ['not_found', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':name')
  async update(
    @Param('name') name: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(updateRoleBody)) changes: z.infer<typeof updateRoleBody>,
    @CurrentUser() admin: Admin,
  ): Promise<RoleView> {
    return toRoleView(await this.administration.update({ name, version }, changes, admin));
  }

  @Endpoint({
    summary: 'Delete a role that nobody holds, If-Match its ETag',
    permission: 'iam:roles:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_required', 'precondition_failed', 'in_use'],
  })
  @Delete(':name')
  remove(
    @Param('name') name: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    return this.administration.remove({ name, version }, admin);
  }
}

const permissionList = z.object({ items: z.array(z.object({ name: z.string(), meaning: z.string() })) });
const listed: z.infer<typeof permissionList> = {
  items: Object.entries(adminPermissions).map(([name, meaning]) => ({ name, meaning })),
};

/** The permissions that the admin API knows; a role may also name permissions of the host. */
@AdminController('permissions')
export class AdminPermissionsController {
  @Endpoint({
    summary: 'The permissions of the admin API',
    permission: 'iam:roles:read',
    responses: { 200: permissionList },
    example: { items: listed.items.slice(0, 2) },
  })
  @Get()
  list(): z.infer<typeof permissionList> {
    return listed;
  }
}
