import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import type { z } from 'zod';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { toEtag, created, Tagged, type Created } from '../../http/iam-response.js';
import { CurrentUser, IfMatch } from '../../http/parameter.decorators.js';
import { Body, Query, ZodPipe } from '../../http/zod.pipe.js';
import { SessionList } from '../../sessions/session-list.service.js';
import { UserList } from '../../users/user-list.service.js';
import type { Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, type Page } from '../page.js';
import { AdminUsers } from './users.service.js';
import {
  createUserBody,
  mergeBody,
  mergeResponse,
  toUserDetail,
  toUserItem,
  updateUserBody,
  userDetail,
  userDetailExample,
  userPage,
  userPageExample,
  userQuery,
  type UserItem,
} from './users.view.js';

type UserDetail = z.infer<typeof userDetail>;

const path = { id: 'The user' };

/** Users: list, create, change, merge, erase. */
@AdminController('users')
export class AdminUsersController {
  constructor(
    private readonly users: UserList,
    private readonly sessions: SessionList,
    private readonly administration: AdminUsers,
  ) {}

  @Endpoint({
    summary: 'Users, newest first',
    permission: 'iam:users:read',
    responses: { 200: userPage },
    example: userPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(userQuery)) query: z.infer<typeof userQuery>): Promise<Page<UserItem>> {
    const { external_id: externalId, ...filter } = query;
    return idPage(query, (page) => this.users.page({ ...filter, externalId }, page), toUserItem);
  }

  @Endpoint({
    summary: 'Create a user without any identity; nobody can sign in as them until one is bound',
    permission: 'iam:users:write',
    responses: { 201: userDetail },
    example: userDetailExample,
    errors: ['identity_conflict', 'not_found'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(createUserBody)) body: z.infer<typeof createUserBody>,
    @CurrentUser() admin: Admin,
  ): Promise<Created<UserDetail>> {
    return created(await this.get(await this.administration.create(body, admin)));
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
  async get(@Param('id') id: string): Promise<Tagged<UserDetail>> {
    const user = await this.users.find(id);
    if (user === null) throw new IamError('not_found', 'no such user');
    return new Tagged(toUserDetail(user, await this.sessions.countLive(id)), toEtag(user.version));
  }

  @Endpoint({
    summary: 'Change nickname or external_id; needs If-Match',
    permission: 'iam:users:write',
    path,
    responses: { 200: userDetail },
    example: userDetailExample,
    errors: ['not_found', 'identity_conflict', 'precondition_required', 'precondition_failed'],
  })
  @Patch(':id')
  async update(
    @Param('id') id: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(updateUserBody)) body: z.infer<typeof updateUserBody>,
    @CurrentUser() admin: Admin,
  ): Promise<Tagged<UserDetail>> {
    await this.administration.change({ id, version }, body, admin);
    return this.get(id);
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
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    return this.administration.erase({ id, version }, admin);
  }

  @Endpoint({
    summary: 'Merge two users who are one person: the older stays and has the identities and roles of both',
    permission: 'iam:users:write',
    path,
    responses: { 200: mergeResponse },
    example: {
      id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
      merged: '01939a3c-9d20-7fff-a162-5e6f708192a3',
    },
    errors: ['not_found', 'merge_refused', 'user_disabled', 'precondition_failed'],
  })
  @Post(':id/merge')
  async merge(
    @Param('id') id: string,
    @Body(new ZodPipe(mergeBody)) { other, force = false }: z.infer<typeof mergeBody>,
    @CurrentUser() admin: Admin,
  ): Promise<z.infer<typeof mergeResponse>> {
    const { kept, merged } = await this.administration.merge(id, { other, evenIfTwo: force }, admin);
    return { id: kept, merged };
  }
}
