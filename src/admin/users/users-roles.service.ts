import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { inTransaction } from '../../database/sql.js';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import { IamError } from '../../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { lockUser } from '../../users/lock-users.js';
import { UserList } from '../../users/user-list.service.js';
import { AdminPermissions } from '../admin-permissions.service.js';

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
