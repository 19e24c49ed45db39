import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inTransaction } from '../../database/sql.js';
import { json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import { IamError } from '../../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { SessionList } from '../../sessions/session-list.service.js';
import { createUser, updateUser, type UserChanges } from '../../users/change-user.js';
import { UserList } from '../../users/user-list.service.js';
import { cleanNickname } from '../../wechat/profile-text.js';
import { AdminReach } from '../admin-reach.service.js';
import { readIfMatch, requireVersion, toEtag } from '../../http/etag.js';
import { toIdPage, toPageRequest } from '../id-page.js';
import { AdminPermissions } from '../admin-permissions.service.js';
import { createUserBody, updateUserBody, userQuery } from './users.requests.js';
import { toUserDetail, toUserItem } from './users.view.js';

/** Users in the admin API: found, read, created and changed. */
@Injectable()
export class AdminUsers {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: UserList,
    private readonly sessions: SessionList,
    private readonly roles: UserRoles,
    private readonly own: AdminPermissions,
    private readonly reach: AdminReach,
  ) {}

  async list({ query }: IamRequest): Promise<IamResponse> {
    const { external_id: externalId, ...given } = parseInput(userQuery, query);
    const page = toPageRequest(given);
    return json(toIdPage(await this.users.page({ ...given, externalId }, page), page, toUserItem));
  }

  /** @throws IamError `not_found` */
  get(id: string): Promise<IamResponse> {
    return this.show(id, 200);
  }

  /** @throws IamError `identity_conflict`, `not_found` for a role, `insufficient_permissions` */
  async create({ body }: IamRequest, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const { roles, ...given } = parseBody(createUserBody, body);
    for (const role of roles) await this.own.requireAll(admin, await this.roles.permissionsOfRole(role));
    const id = await inTransaction(this.dataSource, async (manager) => {
      const created = await createUser(manager, toChanges(given));
      for (const role of roles) await this.roles.assign(manager, created, role);
      return created;
    });
    return this.show(id, 201);
  }

  /** @throws IamError `precondition_required`, `precondition_failed`, `identity_conflict`, `not_found`, `insufficient_permissions` */
  async update(
    id: string,
    { body, ifMatch }: IamRequest,
    admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    const version = readIfMatch(ifMatch);
    const changes = toChanges(parseBody(updateUserBody, body));
    await this.reach.act(admin, id, async (manager, user) => {
      requireVersion(user, version);
      await updateUser(manager, id, changes);
    });
    return this.show(id, 200);
  }

  private async show(id: string, status: number): Promise<IamResponse> {
    const user = await this.users.find(id);
    if (user === null) throw new IamError('not_found', 'no such user');
    const detail = toUserDetail(user, await this.sessions.countLive(id));
    return json(detail, status, { ETag: toEtag(user.version) });
  }
}

/** A nickname is cleaned as one of WeChat's is. */
function toChanges(given: {
  readonly nickname?: string | null | undefined;
  readonly external_id?: string | null | undefined;
}): UserChanges {
  const nickname = given.nickname === undefined ? undefined : cleanNickname(given.nickname);
  return { by: 'host', nickname, externalId: given.external_id };
}
