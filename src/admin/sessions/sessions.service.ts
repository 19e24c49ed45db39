import { Injectable } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput } from '../../http/zod.pipe.js';
import { IamError } from '../../errors/iam.error.js';
import { SessionList } from '../../sessions/session-list.service.js';
import { AdminReach } from '../admin-reach.service.js';
import { toIdPage, toPageRequest } from '../id-page.js';
import { sessionQuery, toSessionItem } from './sessions.view.js';

/** Sessions in the admin API. */
@Injectable()
export class AdminSessions {
  constructor(
    private readonly sessions: SessionList,
    private readonly reach: AdminReach,
  ) {}

  async list({ query }: IamRequest): Promise<IamResponse> {
    const filter = parseInput(sessionQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.sessions.page(filter, page), page, toSessionItem));
  }

  /** @throws IamError `not_found`, `insufficient_permissions`; a session that is over stays so */
  async end(id: string, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const owner = await this.sessions.findOwner(id);
    if (owner !== null) await this.reach.require(admin, owner);
    if (!(await this.sessions.end(id, 'ended_by_admin'))) throw new IamError('not_found', 'no such session');
    return empty(204);
  }
}
