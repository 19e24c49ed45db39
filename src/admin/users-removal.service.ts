import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { inTransaction } from '../database/in-transaction.js';
import { Erasure } from '../erasure/erasure.service.js';
import { empty, json, type Answer } from '../http/answer.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamError } from '../iam.error.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { UserRoles } from '../roles/user-roles.service.js';
import { lockUser, lockUsers } from '../users/lock-users.js';
import { UserMerges } from '../users/user-merges.service.js';
import { readIfMatch, requireVersion } from './etag.js';
import { OwnPermissions } from './own-permissions.service.js';
import { parseBody } from './parse-body.js';
import { mergeBody } from './users.requests.js';

/** What leaves one user less: a merge by hand, and an erasure. */
@Injectable()
export class AdminUserRemoval {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly merges: UserMerges,
    private readonly roles: UserRoles,
    private readonly own: OwnPermissions,
    private readonly erasure: Erasure,
  ) {}

  /**
   * Merges two users into the older. Whoever signs in as one of them then has the roles of both, so the administrator must
   * be allowed to hand out all of these.
   * @throws IamError `not_found`, `merge_refused`, `user_disabled`, `insufficient_permissions`
   */
  async merge(id: string, { body }: IamRequest, admin: AuthenticatedUser | undefined): Promise<Answer> {
    const pair = toPair(id, parseBody(mergeBody, body).other);
    const known = await this.roles.permissionsOf(this.dataSource, pair);
    await this.own.requireAll(admin, known);
    const kept = await inTransaction(this.dataSource, async (manager) => {
      await lockUsers(manager, pair);
      const current = await this.roles.permissionsOf(manager, pair);
      if (current.some((permission) => !known.includes(permission)))
        throw new IamError('precondition_failed', 'one of them was given a role in the meantime');
      return this.merges.merge(manager, pair);
    });
    return json({ id: kept, merged: pair.find((each) => each !== kept) });
  }

  /** @throws IamError `precondition_required`, `precondition_failed`, `not_found`, `in_use` */
  async erase(id: string, { ifMatch }: IamRequest): Promise<Answer> {
    const version = readIfMatch(ifMatch);
    await inTransaction(this.dataSource, async (manager) => {
      requireVersion(await lockUser(manager, id), version);
      await this.erasure.eraseIn(manager, id);
    });
    return empty(204);
  }
}

function toPair(id: string, other: string): [string, string] {
  if (!isUuid(id)) throw new IamError('not_found', 'not the id of a user');
  const pair: [string, string] = [id.toLowerCase(), other.toLowerCase()];
  if (pair[0] === pair[1]) throw new IamError('invalid_request', 'other: the same user');
  return pair;
}
