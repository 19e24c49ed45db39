import { Delete, Get, Param, Post, Put } from '@nestjs/common';
import { type IamResponse, empty, json } from '../../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { AdminController } from '../admin.guard.js';
import { AdminUserAccess, AdminUserRoles, type Assignment } from './users-access.service.js';
import {
  disableBody,
  unlinkQuery,
  userRoles,
  banPage,
  banPageExample,
  banQuery,
  toBanItem,
  toSoughtSubject,
} from './users.view.js';
import { parseInput } from '../../http/zod.pipe.js';
import { LastingBans } from '../../users/lasting-bans.service.js';
import { toIdPage, toPageRequest } from '../page.js';

const path = { id: 'The user' };
const assignment = { ...path, role: 'Name of a role' };

/** Who may come in, and as what. */
@AdminController('users/:id')
export class AdminUserAccessController {
  constructor(
    private readonly access: AdminUserAccess,
    private readonly roles: AdminUserRoles,
  ) {}

  @Endpoint({
    summary: 'Shut a user out: sessions and sign-ins under way end with it',
    permission: 'iam:users:write',
    path,
    body: disableBody,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('disable')
  disable(
    @Param('id') id: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.access.disable({ id, admin }, request);
  }

  @Endpoint({
    summary: 'Let a user in again',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('enable')
  enable(@Param('id') id: string, @CurrentUser() admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    return this.access.enable({ id, admin });
  }

  @Endpoint({
    summary: 'End all sessions of a user, and sign-ins under way',
    permission: 'iam:sessions:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Delete('sessions')
  endSessions(
    @Param('id') id: string,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.access.endSessions({ id, admin });
  }

  @Endpoint({
    summary: 'Take an identity from a user, and end the sessions that came by it',
    permission: 'iam:users:write',
    path: { ...path, identity: 'One of their identities' },
    query: unlinkQuery,
    responses: { 204: null },
    errors: ['not_found', 'last_identity', 'precondition_failed'],
  })
  @Delete('identities/:identity')
  unlink(
    @Param() { id, identity }: { readonly id: string; readonly identity: string },
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.access.unlink({ id, identity, admin }, request);
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
  listRoles(@Param('id') id: string): Promise<IamResponse> {
    return this.roles.list(id);
  }

  @Endpoint({
    summary: 'Give a user a role whose permissions one has oneself; acts from their next access token on',
    permission: 'iam:users:write',
    path: assignment,
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Put('roles/:role')
  assign(
    @Param() given: Assignment,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.roles.assign(given, admin);
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
  remove(
    @Param() given: Assignment,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.roles.remove(given, admin);
  }
}

/** Bans that outlive their user. */
@AdminController('bans')
export class AdminBansController {
  constructor(private readonly bans: LastingBans) {}

  @Endpoint({
    summary: 'Bans of users who were erased since: whose WeChat stays barred',
    permission: 'iam:users:read',
    query: banQuery,
    responses: { 200: banPage },
    example: banPageExample,
  })
  @Get()
  async list(@Incoming() { query }: IamRequest): Promise<IamResponse> {
    const asked = parseInput(banQuery, query);
    const page = toPageRequest(asked);
    return json(toIdPage(await this.bans.page(toSoughtSubject(asked), page), page, toBanItem));
  }

  @Endpoint({
    summary: 'Lift such a ban: the person may sign up again, as somebody new',
    permission: 'iam:users:write',
    path: { id: 'The user who was erased' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async lift(@Param('id') id: string): Promise<IamResponse> {
    await this.bans.lift(id);
    return empty(204);
  }
}
