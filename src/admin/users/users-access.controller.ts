import { Delete, Get, Inject, Param, Post, Put } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { plainText } from '../../database/database-errors.js';
import { readPage } from '../../database/list.js';
import { inTransaction } from '../../database/sql.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { CurrentUser, Body, Query, ZodPipe } from '../../http/parameter.decorators.js';
import { ClientConsents } from '../../oauth/consent/client-consents.service.js';
import { consentList, consentsExample } from '../../oauth/consent/consent.controller.js';
import { findRole, Roles } from '../../roles/roles.service.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { SignOut } from '../../sign-in/sign-out.service.js';
import { forgetPhoneNumber, setUserStatus } from '../../users/change-user.js';
import { banList, LastingBans } from '../../users/lasting-bans.service.js';
import { lockUser } from '../../users/lock-users.js';
import { getDetailedUser } from '../../users/user-list.js';
import { AdminPermissions, AdminReach, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';

const disableBody = z.strictObject({
  reason: plainText(500)
    .optional()
    .describe('For the audit log, of which the user may export what concerns them'),
});

const unlinkQuery = z.object({
  force: z
    .stringbool()
    .default(false)
    .describe('Also the last identity: nobody can sign in as the user then, and their API keys end'),
});

const userRoles = z.object({ roles: z.array(z.string()) });

const path = { id: 'The user' };
const assignment = { ...path, role: 'Name of a role' };
type Assignment = Readonly<Record<keyof typeof assignment, string>>;

/** Access of a user: status, sessions, identities, applications of third parties, roles. */
@AdminController('users/:id')
export class AdminUserAccessController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly reach: AdminReach,
    private readonly permissions: AdminPermissions,
    private readonly signOut: SignOut,
    private readonly consents: ClientConsents,
    private readonly roles: Roles,
    private readonly userRoles: UserRoles,
  ) {}

  @Endpoint({
    summary: 'Shut a user out: sessions, API keys and sign-ins under way end with it',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('disable')
  async disable(
    @Param('id') id: string,
    @Body(new ZodPipe(disableBody)) detail: z.infer<typeof disableBody>,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.reach.act(admin, { id }, async (manager, user) => {
      if (await setUserStatus(manager, user, 'disabled', detail))
        await this.signOut.shutOut(manager, user.id, 'user_disabled');
    });
  }

  @Endpoint({
    summary: 'Let a user in again',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Post('enable')
  async enable(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    await this.reach.act(admin, { id }, (manager, user) => setUserStatus(manager, user, 'active'));
  }

  @Endpoint({
    summary: 'End all sessions of a user, and sign-ins under way',
    permission: 'iam:sessions:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Delete('sessions')
  async endSessions(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    await this.reach.act(admin, { id }, (manager, user) =>
      this.signOut.ofUser(manager, user.id, 'ended_by_admin'),
    );
  }

  @Endpoint({
    summary: 'Take an identity from a user, and end the sessions that came by it',
    permission: 'iam:users:write',
    path: { ...path, identity: 'One of their identities' },
    responses: { 204: null },
    errors: ['not_found', 'last_identity', 'precondition_failed'],
  })
  @Delete('identities/:identity')
  async unlink(
    @Param() { id, identity }: { readonly id: string; readonly identity: string },
    @Query(new ZodPipe(unlinkQuery)) { force: evenLast }: z.infer<typeof unlinkQuery>,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.reach.act(admin, { id }, (manager, user) =>
      this.signOut.unlink(manager, user.id, identity, { evenLast }),
    );
  }

  @Endpoint({
    summary: 'Forget the phone number of a user, so that another may have it',
    permission: 'iam:users:write',
    path,
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Delete('phone_number')
  async forgetPhone(@Param('id') id: string, @CurrentUser() admin: Admin): Promise<void> {
    await this.reach.act(admin, { id }, (manager, user) => forgetPhoneNumber(manager, user.id));
  }

  @Endpoint({
    summary: 'The applications of third parties that a user has agreed to, and what they may have',
    permission: 'iam:users:read',
    path,
    responses: { 200: consentList },
    example: consentsExample,
    errors: ['not_found'],
  })
  @Get('consents')
  async listConsents(@Param('id') id: string): Promise<z.infer<typeof consentList>> {
    await getDetailedUser(this.dataSource, id);
    return { items: await this.consents.list(id) };
  }

  @Endpoint({
    summary: 'Withdraw the consent of a user to an application, and end their sessions there',
    permission: 'iam:users:write',
    path: { ...path, client_id: 'The application' },
    responses: { 204: null },
    errors: ['not_found', 'precondition_failed'],
  })
  @Delete('consents/:client_id')
  async withdrawConsent(
    @Param() { id, client_id }: { readonly id: string; readonly client_id: string },
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.reach.act(admin, { id }, (manager, user) =>
      this.consents.withdrawIn(manager, { userId: user.id, sessionId: null }, client_id),
    );
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
    const { roles } = await getDetailedUser(this.dataSource, id);
    return { roles };
  }

  @Endpoint({
    summary: 'Give a user a role whose permissions one has oneself; acts from their next access token on',
    permission: 'iam:users:write',
    path: assignment,
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Put('roles/:role')
  async assign(@Param() { id, role }: Assignment, @CurrentUser() admin: Admin): Promise<void> {
    await this.permissions.requireAll(admin, (await this.roles.get(role)).permissions);
    await this.changeRoles(id, (manager) => this.userRoles.assign(manager, id, role));
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
  async remove(@Param() { id, role }: Assignment, @CurrentUser() admin: Admin): Promise<void> {
    const known = await findRole(this.dataSource, role);
    await this.permissions.requireAll(admin, known?.permissions ?? []);
    await this.changeRoles(id, async (manager) => {
      if (known !== null) await this.userRoles.remove(manager, id, role);
    });
  }

  /** One role at a time, so that two administrators at once do not undo each other. */
  private async changeRoles(id: string, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    await inTransaction(this.dataSource, async (manager) => {
      await lockUser(manager, id);
      await work(manager);
    });
  }
}

/** Bans of users who were erased. */
@AdminController('bans')
export class AdminBansController {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly bans: LastingBans,
  ) {}

  @Endpoint({
    summary: 'Bans of users who were erased since: whose WeChat stays barred',
    permission: 'iam:users:read',
    responses: { 200: banList.page },
    example: {
      items: [
        {
          id: '01939a3c-4c10-7bbb-8d2f-1a2b3c4d5e6f',
          banned_at: '2026-11-22T08:00:00.000Z',
          identities: 2,
          unions: 1,
        },
      ],
      next_cursor: null,
    },
  })
  @Get()
  list(@Query(new ZodPipe(banList.query)) query: z.infer<typeof banList.query>) {
    return readPage(this.dataSource, banList, query);
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
