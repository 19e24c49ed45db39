import { Delete, Get, Param, Post, Put } from '@nestjs/common';
import type { z } from 'zod';
import { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser } from '../../http/parameter.decorators.js';
import { Body, Query, ZodPipe } from '../../http/zod.pipe.js';
import { LastingBans } from '../../users/lasting-bans.service.js';
import { UserList } from '../../users/user-list.service.js';
import type { Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import { idPage, type Page } from '../page.js';
import { AdminUserAccess, type Assignment, type UserIdentity } from './users-access.service.js';
import {
  banPage,
  banPageExample,
  banQuery,
  disableBody,
  toBanItem,
  toSoughtSubject,
  unlinkQuery,
  userRoles,
  type BanItem,
} from './users.view.js';

const path = { id: 'The user' };
const assignment = { ...path, role: 'Name of a role' };

/** Access of a user: status, sessions, identities, roles. */
@AdminController('users/:id')
export class AdminUserAccessController {
  constructor(
    private readonly users: UserList,
    private readonly access: AdminUserAccess,
  ) {}

  @Endpoint({
    summary: 'Shut a user out: sessions and sign-ins under way end with it',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('disable')
  disable(
    @Param('id') id: string,
    @Body(new ZodPipe(disableBody)) body: z.infer<typeof disableBody>,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    return this.access.disable(id, body, admin);
  }

  @Endpoint({
    summary: 'Let a user in again',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('enable')
  enable(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    return this.access.enable(id, admin);
  }

  @Endpoint({
    summary: 'End all sessions of a user, and sign-ins under way',
    permission: 'iam:sessions:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Delete('sessions')
  endSessions(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    return this.access.endSessions(id, admin);
  }

  @Endpoint({
    summary: 'Take an identity from a user, and end the sessions that came by it',
    permission: 'iam:users:write',
    path: { ...path, identity: 'One of their identities' },
    responses: { 204: null },
    errors: ['not_found', 'last_identity', 'precondition_failed'],
  })
  @Delete('identities/:identity')
  unlink(
    @Param() identity: UserIdentity,
    @Query(new ZodPipe(unlinkQuery)) { force }: z.infer<typeof unlinkQuery>,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    return this.access.unlink(identity, { evenLast: force }, admin);
  }

  @Endpoint({
    summary: 'The roles of a user',
    permission: 'iam:users:read',
    path,
    responses: { 200: userRoles },
    example: { roles: ['support'] },
    errors: ['not_found'],
  })
  @Get('roles')
  async listRoles(@Param('id') id: string): Promise<z.infer<typeof userRoles>> {
    const user = await this.users.find(id);
    if (user === null) throw new IamError('not_found', 'no such user');
    return { roles: user.roles };
  }

  @Endpoint({
    summary: 'Give a user a role whose permissions one has oneself; acts from their next access token on',
    permission: 'iam:users:write',
    path: assignment,
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Put('roles/:role')
  assign(@Param() given: Assignment, @CurrentUser() admin: Admin): Promise<void> {
    return this.access.assignRole(given, admin);
  }

  @Endpoint({
    summary:
      'Take a role from a user whose permissions one has oneself; acts from their next access token on',
    permission: 'iam:users:write',
    path: assignment,
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete('roles/:role')
  remove(@Param() given: Assignment, @CurrentUser() admin: Admin): Promise<void> {
    return this.access.removeRole(given, admin);
  }
}

/** Bans of users who were erased. */
@AdminController('bans')
export class AdminBansController {
  constructor(private readonly bans: LastingBans) {}

  @Endpoint({
    summary: 'Bans of users who were erased since: whose WeChat stays barred',
    permission: 'iam:users:read',
    responses: { 200: banPage },
    example: banPageExample,
  })
  @Get()
  list(@Query(new ZodPipe(banQuery)) query: z.infer<typeof banQuery>): Promise<Page<BanItem>> {
    return idPage(query, (page) => this.bans.page(toSoughtSubject(query), page), toBanItem);
  }

  @Endpoint({
    summary: 'Lift such a ban: the person may sign up again, as somebody new',
    permission: 'iam:users:write',
    path: { id: 'The user who was erased' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  lift(@Param('id') id: string): Promise<void> {
    return this.bans.lift(id);
  }
}
