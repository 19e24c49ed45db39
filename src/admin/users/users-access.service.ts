import { Injectable, Inject } from '@nestjs/common';
import { type EntityManager, DataSource } from 'typeorm';
import { recordAudit } from '../../audit/record-audit.js';
import { empty, type IamResponse, json } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/parameter.decorators.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import { SignOut } from '../../sign-in/sign-out.service.js';
import { setUserStatus } from '../../users/change-user.js';
import { type LockedUser, lockUser } from '../../users/lock-users.js';
import { AdminReach, AdminPermissions } from '../admin-reach.service.js';
import { disableBody, unlinkQuery } from './users.view.js';
import { inTransaction } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { UserList } from '../../users/user-list.service.js';

/** A user as a path names them, and who acts. */
export interface OnUser {
  readonly id: string;
  readonly admin: AuthenticatedUser | undefined;
}

/** A user and an identity of theirs. */
export interface OnIdentity extends OnUser {
  readonly identity: string;
}

/** Who may come in: users shut out and let in again, their sessions ended. */
@Injectable()
export class AdminUserAccess {
  constructor(
    private readonly reach: AdminReach,
    private readonly signOut: SignOut,
  ) {}

  /** Refreshing is refused from the same moment. @throws IamError `not_found`, `insufficient_permissions` */
  disable(on: OnUser, { body }: IamRequest): Promise<IamResponse> {
    const detail = parseBody(disableBody, body);
    return this.act(on, async (manager, { id, status }) => {
      if (status === 'disabled') return;
      await setUserStatus(manager, id, 'disabled');
      await recordAudit(manager, { action: 'user.disabled', userId: id, detail });
      await this.signOut.ofUser(manager, id, 'user_disabled');
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  enable(on: OnUser): Promise<IamResponse> {
    return this.act(on, async (manager, { id, status }) => {
      if (status === 'active') return;
      await setUserStatus(manager, id, 'active');
      await recordAudit(manager, { action: 'user.enabled', userId: id });
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  endSessions(on: OnUser): Promise<IamResponse> {
    return this.act(on, (manager, { id }) => this.signOut.ofUser(manager, id, 'ended_by_admin'));
  }

  /** What came by the identity ends with it. @throws IamError `not_found`, `last_identity`, `insufficient_permissions` */
  unlink({ identity, ...on }: OnIdentity, { query }: IamRequest): Promise<IamResponse> {
    const { force } = parseInput(unlinkQuery, query);
    return this.act(on, async (manager, { id }) => {
      await this.signOut.unlink(manager, id, identity, { evenLast: force });
    });
  }

  private async act(
    { id, admin }: OnUser,
    work: (manager: EntityManager, user: LockedUser) => Promise<void>,
  ): Promise<IamResponse> {
    await this.reach.act(admin, id, work);
    return empty(204);
  }
}

/** A user and a role, as a path names them. */
export interface Assignment {
  readonly id: string;
  readonly role: string;
}

/** Which roles a user holds, one at a time, so that two administrators at once do not undo each other. */
@Injectable()
export class AdminUserRoles {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: UserList,
    private readonly roles: UserRoles,
    private readonly own: AdminPermissions,
  ) {}

  /** @throws IamError `not_found` */
  async list(id: string): Promise<IamResponse> {
    const user = await this.users.find(id);
    if (user === null) throw new IamError('not_found', 'no such user');
    return json({ roles: user.roles });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  async assign({ id, role }: Assignment, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    await this.own.requireAll(admin, await this.roles.permissionsOfRole(role));
    return this.change(id, (manager) => this.roles.assign(manager, id, role));
  }

  /** @throws IamError `insufficient_permissions`, `not_found` for a user; a role that they do not hold is no error */
  async remove({ id, role }: Assignment, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const permissions = await this.roles.findPermissionsOfRole(role);
    await this.own.requireAll(admin, permissions ?? []);
    return this.change(id, async (manager) => {
      if (permissions !== null) await this.roles.remove(manager, id, role);
    });
  }

  private async change(id: string, work: (manager: EntityManager) => Promise<void>): Promise<IamResponse> {
    await inTransaction(this.dataSource, async (manager) => {
      await lockUser(manager, id);
      await work(manager);
    });
    return empty(204);
  }
}
