import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { adminPermissions } from '../config/iam.permissions.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { inTransaction } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { requireVersion } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { Requirements } from '../sessions/access-policy.service.js';
import { UserRoles } from '../roles/user-roles.service.js';
import { currentContext } from '../runtime/request-context.js';
import { lockUsers, type LockedUser } from '../users/lock-users.js';

/** `@CurrentUser()` on admin routes: undefined for the admin token and where the host's guard admitted the request. */
export type Admin = AuthenticatedUser | undefined;

/** Administrators give and take only permissions that they hold: by writing a role, and by assigning or removing one. */
@Injectable()
export class AdminPermissions {
  constructor(private readonly requirements: Requirements) {}

  /** @throws IamError as `refusalOf` */
  async requireAll(admin: Admin, permissions: readonly string[]): Promise<void> {
    const refusal = await this.refusalOf(admin, permissions);
    if (refusal !== null) throw refusal;
  }

  /**
   * Null where the administrator has all of these: the admin token and the host's guard may do everything. A permission may
   * be a pattern, which only an equal or wider one covers.
   * @returns `insufficient_permissions` that names the missing ones in the log
   */
  async refusalOf(admin: Admin, permissions: readonly string[]): Promise<IamError | null> {
    if (permissions.length === 0 || this.areUnlimited()) return null;
    const missing = await this.missing(admin, permissions);
    if (missing.length === 0) return null;
    return new IamError('insufficient_permissions', `may not decide on ${missing.join(', ')}`);
  }

  /** Who calls, and the permissions of the admin API that they have. */
  async held(admin: Admin) {
    const all = Object.keys(adminPermissions);
    if (this.areUnlimited())
      return {
        actor: currentContext()?.actor === 'host' ? 'host' : 'admin_token',
        permissions: all,
      } as const;
    const missing = await this.missing(admin, all);
    const actor = admin === undefined || admin.kind === 'person' ? 'user' : admin.kind;
    return { actor, permissions: all.filter((each) => !missing.includes(each)) } as const;
  }

  private async missing(admin: Admin, permissions: readonly string[]): Promise<readonly string[]> {
    return admin === undefined ? permissions : this.requirements.missing(admin, permissions);
  }

  /** True for the admin token and the host's guard, as `AdminGuard` has noted. */
  areUnlimited(): boolean {
    const actor = currentContext()?.actor;
    return actor === 'admin_token' || actor === 'host';
  }
}

/**
 * Administrators do not act on a user who may do more than they: a merge, an `external_id` or an unlink would hand over that
 * user's rights, and a ban would exclude the person who could stop it. Permissions of the last day count too: otherwise
 * removing the role would be the first of two steps.
 */
@Injectable()
export class AdminReach {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly roles: UserRoles,
    private readonly permissions: AdminPermissions,
  ) {}

  /** As `actOnAll`, on one user, as they were at this version, if one is given. */
  async act<T>(
    admin: Admin,
    { id, version = null }: { readonly id: string; readonly version?: string | null },
    work: (manager: EntityManager, user: LockedUser) => Promise<T>,
  ): Promise<T> {
    return this.actOnAll(admin, [id], (manager, [user]) => {
      if (user === undefined) throw new IamError('not_found', `no user ${id}`);
      requireVersion(user, version);
      return work(manager, user);
    });
  }

  /**
   * Runs `work` in a transaction that has locked the users.
   * @throws IamError `insufficient_permissions`, `not_found`, `precondition_failed` when one of them got a role meanwhile
   */
  async actOnAll<T>(
    admin: Admin,
    ids: readonly string[],
    work: (manager: EntityManager, users: readonly LockedUser[]) => Promise<T>,
  ): Promise<T> {
    const checked = await this.require(admin, ids);
    return inTransaction(this.dataSource, async (manager) => {
      const users = await lockUsers(manager, ids);
      if (!this.permissions.areUnlimited()) {
        const current = await this.roles.recentPermissionsOf(manager, ids);
        if (current.some((permission) => !checked.includes(permission)))
          throw new IamError('precondition_failed', 'a role was given in the meantime');
      }
      return work(manager, users);
    });
  }

  /**
   * Call it before a transaction: it reads by another connection, and a pool of transactions that wait for one stands still.
   * @returns the permissions of the users. @throws IamError `insufficient_permissions`, `not_found`
   */
  async require(admin: Admin, ids: readonly string[]): Promise<readonly string[]> {
    if (!ids.every((id) => isUuid(id))) throw new IamError('not_found', 'not the id of a user');
    const permissions = await this.roles.recentPermissionsOf(this.dataSource, ids);
    await this.permissions.requireAll(admin, permissions);
    return permissions;
  }
}
