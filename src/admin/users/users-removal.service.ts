import { Injectable } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Erasure } from '../../privacy/erasure.service.js';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import type { IamRequest } from '../../http/iam-request.js';
import { IamError } from '../../errors/iam.error.js';
import { UserMerges } from '../../users/user-merges.service.js';
import { AdminReach } from '../admin-reach.service.js';
import { readIfMatch, requireVersion } from '../../http/etag.js';
import { parseBody } from '../../http/zod.pipe.js';
import { mergeBody } from './users.requests.js';

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
