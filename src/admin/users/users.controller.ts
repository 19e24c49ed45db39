import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { AdminController } from '../admin.guard.js';
import { AdminUserRemoval, AdminUsers } from './users.service.js';
import {
  createUserBody,
  mergeBody,
  updateUserBody,
  userQuery,
  mergeResponse,
  userDetail,
  userDetailExample,
  userPage,
  userPageExample,
} from './users.view.js';

const path = { id: 'The user' };

/** People. */
@AdminController('users')
export class AdminUsersController {
  constructor(
    private readonly users: AdminUsers,
    private readonly removal: AdminUserRemoval,
  ) {}

  @Endpoint({
    summary: 'Users, newest first',
    permission: 'iam:users:read',
    query: userQuery,
    responses: { 200: userPage },
    example: userPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.users.list(request);
  }

  @Endpoint({
    summary: 'Create a user without any identity; nobody can sign in as them until one is bound',
    permission: 'iam:users:write',
    body: createUserBody,
    responses: { 201: userDetail },
    example: userDetailExample,
    errors: ['identity_conflict', 'not_found'],
  })
  @Post()
  create(
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.users.create(request, admin);
  }

  @Endpoint({
    summary: 'A user, also one who was merged into another; the ETag is what a change is based on',
    permission: 'iam:users:read',
    path,
    responses: { 200: userDetail },
    example: userDetailExample,
    errors: ['not_found'],
  })
  @Get(':id')
  get(@Param('id') id: string): Promise<IamResponse> {
    return this.users.get(id);
  }

  @Endpoint({
    summary: 'Change nickname or external_id; needs If-Match',
    permission: 'iam:users:write',
    path,
    body: updateUserBody,
    responses: { 200: userDetail },
    example: userDetailExample,
    errors: ['not_found', 'identity_conflict', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':id')
  update(
    @Param('id') id: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.users.update(id, request, admin);
  }

  @Endpoint({
    summary: 'Erase a user and all that is held about them, at once; needs If-Match',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'in_use', 'precondition_required', 'precondition_failed'],
  })
  @Delete(':id')
  erase(
    @Param('id') id: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.removal.erase(id, request, admin);
  }

  @Endpoint({
    summary: 'Merge two users who are one person: the older stays and has the identities and roles of both',
    permission: 'iam:users:write',
    path,
    body: mergeBody,
    responses: { 200: mergeResponse },
    example: {
      id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
      merged: '01939a3c-9d20-7fff-a162-5e6f708192a3',
    },
    errors: ['not_found', 'merge_refused', 'user_disabled', 'precondition_failed'],
  })
  @Post(':id/merge')
  merge(
    @Param('id') id: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.removal.merge(id, request, admin);
  }
}
