import { Injectable, Inject } from '@nestjs/common';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import { IamError } from '../errors/iam.error.js';
import { currentContext } from '../runtime/request-context.js';
import { RolePermissions } from '../roles/role-permissions.service.js';
import { inTransaction } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserRoles } from '../roles/user-roles.service.js';
import { lockUsers, type LockedUser } from '../users/lock-users.js';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';

/** Nobody gives or takes what they may not do themselves: neither by a role that they write nor by one that they assign or take. */
@Injectable()
export class AdminPermissions {
  constructor(private readonly permissions: RolePermissions) {}

  /**
   * `user` is `@CurrentUser()`: undefined for the admin token and for whom the host's guard admitted, who may do
   * everything. A permission may be a pattern, which only an equal or wider one covers.
   * @throws IamError `insufficient_permissions` that names what is missing in the log
   */
  async requireAll(user: AuthenticatedUser | undefined, permissions: readonly string[]): Promise<void> {
    if (permissions.length === 0 || this.areUnlimited()) return;
    const missing = await this.permissions.missing(user?.roles ?? [], permissions);
    if (missing.length > 0)
      throw new IamError('insufficient_permissions', `may not decide on ${missing.join(', ')}`);
  }

  /** The admin token and the host's guard; `AdminGuard` has noted who acts. */
  areUnlimited(): boolean {
    const actor = currentContext()?.actor;
    return actor === 'admin_token' || actor === 'host';
  }
}

/** Who acts: `@CurrentUser()`, undefined for the admin token and for whom the host's guard admitted. */
export type Admin = AuthenticatedUser | undefined;

/**
 * Nobody acts on a user who may do more than they: a merge, an `external_id` or an unlink would hand that user's rights over, and
 * a ban would keep the one out who could stop it. What a user's roles permitted within the last day counts as well: else
 * taking the role would be the first of two steps.
 */
@Injectable()
export class AdminReach {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly roles: UserRoles,
    private readonly own: AdminPermissions,
  ) {}

  /** @throws IamError `insufficient_permissions` */
  async require(admin: Admin, id: string): Promise<void> {
    await this.judge(admin, [id]);
  }

  /** As `actOnAll`, on one user. */
  async act<T>(
    admin: Admin,
    id: string,
    work: (manager: EntityManager, user: LockedUser) => Promise<T>,
  ): Promise<T> {
    return this.actOnAll(admin, [id], (manager, [user]) => {
      if (user === undefined) throw new IamError('not_found', `no user ${id}`);
      return work(manager, user);
    });
  }

  /**
   * Runs `work` in a transaction that has locked the users.
   * @throws IamError `insufficient_permissions`, `not_found`, `precondition_failed` when one got a role meanwhile
   */
  async actOnAll<T>(
    admin: Admin,
    ids: readonly string[],
    work: (manager: EntityManager, users: readonly LockedUser[]) => Promise<T>,
  ): Promise<T> {
    const judged = await this.judge(admin, ids);
    return inTransaction(this.dataSource, async (manager) => {
      const users = await lockUsers(manager, ids);
      if (!this.own.areUnlimited()) await this.refuseNewRoles(manager, ids, judged);
      return work(manager, users);
    });
  }

  private async refuseNewRoles(
    manager: EntityManager,
    ids: readonly string[],
    judged: readonly string[],
  ): Promise<void> {
    const current = await this.roles.recentPermissionsOf(manager, ids);
    if (current.some((permission) => !judged.includes(permission)))
      throw new IamError('precondition_failed', 'a role was given in the meantime');
  }

  /** Before the transaction, which holds a connection: what the administrator may do is read by another. */
  private async judge(admin: Admin, ids: readonly string[]): Promise<readonly string[]> {
    if (!ids.every((id) => isUuid(id))) throw new IamError('not_found', 'not the id of a user');
    const judged = await this.roles.recentPermissionsOf(this.dataSource, ids);
    await this.own.requireAll(admin, judged);
    return judged;
  }
}
