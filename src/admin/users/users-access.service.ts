import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { inTransaction } from '../../database/sql.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { SignOut } from '../../sign-in/sign-out.service.js';
import { setUserStatus } from '../../users/change-user.js';
import { lockUser } from '../../users/lock-users.js';
import { AdminPermissions, AdminReach, type Admin } from '../admin-reach.service.js';

/** An identity of a user, as a path names it. */
export interface UserIdentity {
  readonly id: string;
  readonly identity: string;
}

/** A user and a role, as a path names them. */
export interface Assignment {
  readonly id: string;
  readonly role: string;
}

/** Disables and enables users, ends their sessions, takes identities, gives and takes roles. */
@Injectable()
export class AdminUserAccess {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly reach: AdminReach,
    private readonly signOut: SignOut,
    private readonly roles: UserRoles,
    private readonly own: AdminPermissions,
  ) {}

  /** Refreshing is refused from the same moment. @throws IamError `not_found`, `insufficient_permissions` */
  async disable(id: string, detail: { readonly reason?: string | undefined }, admin: Admin): Promise<void> {
    await this.reach.act(admin, id, async (manager, user) => {
      if (user.status === 'disabled') return;
      await setUserStatus(manager, user.id, 'disabled');
      await recordAudit(manager, { action: 'user.disabled', userId: user.id, detail });
      await this.signOut.ofUser(manager, user.id, 'user_disabled');
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  async enable(id: string, admin: Admin): Promise<void> {
    await this.reach.act(admin, id, async (manager, user) => {
      if (user.status === 'active') return;
      await setUserStatus(manager, user.id, 'active');
      await recordAudit(manager, { action: 'user.enabled', userId: user.id });
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  async endSessions(id: string, admin: Admin): Promise<void> {
    await this.reach.act(admin, id, (manager, user) =>
      this.signOut.ofUser(manager, user.id, 'ended_by_admin'),
    );
  }

  /** Ends the sessions that the identity began. @throws IamError `not_found`, `last_identity`, `insufficient_permissions` */
  async unlink(
    { id, identity }: UserIdentity,
    options: { readonly evenLast: boolean },
    admin: Admin,
  ): Promise<void> {
    await this.reach.act(admin, id, async (manager, user) => {
      await this.signOut.unlink(manager, user.id, identity, options);
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  async assignRole({ id, role }: Assignment, admin: Admin): Promise<void> {
    await this.own.requireAll(admin, await this.roles.permissionsOfRole(role));
    await this.changeRoles(id, (manager) => this.roles.assign(manager, id, role));
  }

  /** @throws IamError `insufficient_permissions`, `not_found` for a user; a role that they do not hold is no error */
  async removeRole({ id, role }: Assignment, admin: Admin): Promise<void> {
    const permissions = await this.roles.findPermissionsOfRole(role);
    await this.own.requireAll(admin, permissions ?? []);
    await this.changeRoles(id, async (manager) => {
      if (permissions !== null) await this.roles.remove(manager, id, role);
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
