import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import { CurrentUser } from '../../http/current-user.decorator.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/incoming.decorator.js';
import { AdminController } from '../admin-controller.decorator.js';
import { createRoleBody, roleQuery, updateRoleBody } from './roles.requests.js';
import { AdminRoles } from './roles.service.js';
import { roleExample, rolePage, roleView } from './roles.view.js';

const path = { name: 'The role' };

/** Roles and what they permit. */
@AdminController('roles')
export class AdminRolesController {
  constructor(private readonly roles: AdminRoles) {}

  @Endpoint({
    summary: 'Roles by name',
    permission: 'iam:roles:read',
    query: roleQuery,
    responses: { 200: rolePage },
    example: { items: [roleExample], next_cursor: null },
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.roles.list(request);
  }

  @Endpoint({
    summary: 'Create a role, of permissions that one holds oneself',
    permission: 'iam:roles:write',
    body: createRoleBody,
    responses: { 201: roleView },
    example: roleExample,
    errors: ['already_exists'],
  })
  @Post()
  create(
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.roles.create(request, admin);
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
  get(@Param('name') name: string): Promise<IamResponse> {
    return this.roles.get(name);
  }

  @Endpoint({
    summary:
      'Change a role, If-Match its ETag: its permissions act at once here and within five seconds elsewhere',
    permission: 'iam:roles:write',
    path,
    body: updateRoleBody,
    responses: { 200: roleView },
    example: roleExample,
    errors: ['not_found', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':name')
  update(
    @Param('name') name: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.roles.update({ name, request, admin });
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
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.roles.remove({ name, request, admin });
  }
}
