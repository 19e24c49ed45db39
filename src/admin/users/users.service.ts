import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import type { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { inTransaction } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import { requireVersion } from '../../http/iam-response.js';
import { Erasure } from '../../privacy/erasure.service.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { createUser, updateUser, type UserChanges } from '../../users/change-user.js';
import { UserMerges } from '../../users/user-merges.service.js';
import { cleanNickname } from '../../wechat/profile-text.js';
import { AdminPermissions, AdminReach, type Admin } from '../admin-reach.service.js';
import type { createUserBody, updateUserBody } from './users.view.js';

type WrittenUser = z.infer<typeof updateUserBody>;

/** A user in a path, and the version that a change is based on; null for the current one. */
export interface UserEdit {
  readonly id: string;
  readonly version: string | null;
}

/** Users that administrators create, change, merge and erase. */
@Injectable()
export class AdminUsers {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly roles: UserRoles,
    private readonly own: AdminPermissions,
    private readonly reach: AdminReach,
    private readonly merges: UserMerges,
    private readonly erasure: Erasure,
  ) {}

  /** @returns the id. @throws IamError `identity_conflict`, `not_found` for a role, `insufficient_permissions` */
  async create({ roles, ...written }: z.infer<typeof createUserBody>, admin: Admin): Promise<string> {
    for (const role of roles) await this.own.requireAll(admin, await this.roles.permissionsOfRole(role));
    return inTransaction(this.dataSource, async (manager) => {
      const id = await createUser(manager, toChanges(written));
      for (const role of roles) await this.roles.assign(manager, id, role);
      return id;
    });
  }

  /** @throws IamError `precondition_failed`, `identity_conflict`, `not_found`, `insufficient_permissions` */
  async change({ id, version }: UserEdit, written: WrittenUser, admin: Admin): Promise<void> {
    await this.reach.act(admin, id, async (manager, user) => {
      requireVersion(user, version);
      await updateUser(manager, id, toChanges(written));
    });
  }

  /**
   * Merges two users into the older, who then has the roles of both.
   * @throws IamError `not_found`, `merge_refused`, `user_disabled`, `insufficient_permissions`
   */
  async merge(
    id: string,
    { other, evenIfTwo }: { readonly other: string; readonly evenIfTwo: boolean },
    admin: Admin,
  ): Promise<{ readonly kept: string; readonly merged: string }> {
    const [first, second] = toPair(id, other);
    const kept = await this.reach.actOnAll(admin, [first, second], (manager) =>
      this.merges.merge(manager, [first, second], { evenIfTwo }),
    );
    return { kept, merged: kept === first ? second : first };
  }

  /** @throws IamError `precondition_failed`, `not_found`, `in_use`, `insufficient_permissions` */
  async erase({ id, version }: UserEdit, admin: Admin): Promise<void> {
    await this.reach.act(admin, id, async (manager, user) => {
      requireVersion(user, version);
      await this.erasure.eraseIn(manager, id);
    });
  }
}

/** A nickname is cleaned as one of WeChat's is. */
function toChanges({ nickname, external_id: externalId }: WrittenUser): UserChanges {
  return { by: 'host', nickname: nickname === undefined ? undefined : cleanNickname(nickname), externalId };
}

function toPair(id: string, other: string): [string, string] {
  if (!isUuid(id)) throw new IamError('not_found', 'not the id of a user');
  const pair: [string, string] = [id.toLowerCase(), other.toLowerCase()];
  if (pair[0] === pair[1]) throw new IamError('invalid_request', 'other: the same user');
  return pair;
}
