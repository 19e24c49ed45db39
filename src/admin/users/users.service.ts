import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { inTransaction } from '../../database/sql.js';
import { json, type IamResponse, empty } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/parameter.decorators.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import { IamError } from '../../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { UserRoles } from '../../roles/user-roles.service.js';
import { SessionList } from '../../sessions/session-list.service.js';
import { createUser, updateUser, type UserChanges } from '../../users/change-user.js';
import { UserList } from '../../users/user-list.service.js';
import { cleanNickname } from '../../wechat/profile-text.js';
import { AdminReach, AdminPermissions } from '../admin-reach.service.js';
import { readIfMatch, requireVersion, toEtag } from '../../http/etag.js';
import { toIdPage, toPageRequest } from '../page.js';
import {
  createUserBody,
  updateUserBody,
  userQuery,
  toUserDetail,
  toUserItem,
  mergeBody,
} from './users.view.js';
import { Erasure } from '../../privacy/erasure.service.js';
import { UserMerges } from '../../users/user-merges.service.js';
import { validate as isUuid } from 'uuid';

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

/** What leaves one user less: a merge by hand, and an erasure. */
@Injectable()
export class AdminUserRemoval {
  constructor(
    private readonly reach: AdminReach,
    private readonly merges: UserMerges,
    private readonly erasure: Erasure,
  ) {}

  /**
   * Merges two users into the older. Whoever signs in as one of them then has the roles of both.
   * @throws IamError `not_found`, `merge_refused`, `user_disabled`, `insufficient_permissions`
   */
  async merge(id: string, { body }: IamRequest, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const { other, force = false } = parseBody(mergeBody, body);
    const pair = toPair(id, other);
    const kept = await this.reach.actOnAll(admin, pair, (manager) =>
      this.merges.merge(manager, pair, { evenIfTwo: force }),
    );
    return json({ id: kept, merged: pair.find((each) => each !== kept) });
  }

  /** @throws IamError `precondition_required`, `precondition_failed`, `not_found`, `in_use`, `insufficient_permissions` */
  async erase(
    id: string,
    { ifMatch }: IamRequest,
    admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    const version = readIfMatch(ifMatch);
    await this.reach.act(admin, id, async (manager, user) => {
      requireVersion(user, version);
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
