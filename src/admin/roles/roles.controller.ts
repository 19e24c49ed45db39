import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import { z } from 'zod';
import { adminPermissions } from '../../config/iam.permissions.js';
import { CurrentUser, IfMatch, Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { namesQuery, pageOf, toPage } from '../../database/list.js';
import { plainText } from '../../database/database-errors.js';
import { toEtag, Created } from '../../http/iam-response.js';
import {
  newRole,
  roleChanges,
  roleRow,
  Roles,
  type Role,
  type RoleChanges,
  type RoleEdit,
} from '../../roles/roles.service.js';
import { AdminPermissions, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

const roleQuery = namesQuery.extend({ q: plainText(63).optional().describe('The beginning of a name') });
const roleView = roleRow.omit({ version: true }).extend({ etag: z.string() });
const rolePage = pageOf(roleView);
type RoleView = z.infer<typeof roleView>;

const example: RoleView = {
  name: 'support',
  description: 'Helps people who cannot sign in',
  permissions: ['iam:users:read', 'iam:logins:read', 'orders:*'],
  is_default: false,
  created_at: '2026-01-31T08:00:00.000Z',
  etag: '"0cc175b9c0f1b6a831c399e269772661"',
};
const path = { name: 'The role' };

/** Roles, of which administrators give and take no more than they hold themselves. */
@AdminController('roles')
export class AdminRolesController {
  constructor(
    private readonly roles: Roles,
    private readonly permissions: AdminPermissions,
  ) {}

  @Endpoint({
    summary: 'Roles by name',
    permission: 'iam:roles:read',
    responses: { 200: rolePage },
    example: { items: [example], next_cursor: null },
  })
  @Get()
  async list(
    @Query(new ZodPipe(roleQuery)) { limit, cursor: after, q: prefix }: z.infer<typeof roleQuery>,
  ): Promise<z.infer<typeof rolePage>> {
    const roles = await this.roles.list({ after, limit: limit + 1, prefix });
    return toPage(roles.map(toView), limit, ({ name }) => name);
  }

  @Endpoint({
    summary: 'Create a role, of permissions that one holds oneself',
    permission: 'iam:roles:write',
    responses: { 201: roleView },
    example,
    errors: ['already_exists'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(newRole)) { name, ...role }: z.infer<typeof newRole>,
    @CurrentUser() admin: Admin,
  ): Promise<Created<RoleView>> {
    await this.permissions.requireAll(admin, role.permissions ?? []);
    return new Created(toView(await this.roles.create(name, role)), `admin/roles/${name}`);
  }

  @Endpoint({
    summary: 'One role, with its ETag',
    permission: 'iam:roles:read',
    path,
    responses: { 200: roleView },
    example,
    errors: ['not_found'],
  })
  @Get(':name')
  async get(@Param('name') name: string): Promise<RoleView> {
    return toView(await this.roles.get(name));
  }

  @Endpoint({
    summary:
      'Change a role, If-Match its ETag: its permissions act at once here and within five seconds elsewhere',
    permission: 'iam:roles:write',
    path,
    responses: { 200: roleView },
    example,
    errors: ['not_found', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':name')
  async update(
    @Param('name') name: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(roleChanges)) changes: RoleChanges,
    @CurrentUser() admin: Admin,
  ): Promise<RoleView> {
    const edit = await this.decide(admin, { name, version }, (role) => decidedOn(role, changes));
    return toView(await this.roles.change(edit, changes));
  }

  @Endpoint({
    summary: 'Delete a role that nobody holds, If-Match its ETag',
    permission: 'iam:roles:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_required', 'precondition_failed', 'in_use'],
  })
  @Delete(':name')
  async remove(
    @Param('name') name: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.roles.remove(await this.decide(admin, { name, version }, ({ permissions }) => permissions));
  }

  /** The edit, also without a version based on the role whose permissions were checked. */
  private async decide(
    admin: Admin,
    { name, version }: RoleEdit,
    permissionsOf: (role: Role) => readonly string[],
  ): Promise<RoleEdit> {
    const role = await this.roles.get(name);
    await this.permissions.requireAll(admin, permissionsOf(role));
    return { name, version: version ?? role.version };
  }
}

function toView({ version, ...role }: Role): RoleView {
  return { ...role, etag: toEtag(version) };
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
