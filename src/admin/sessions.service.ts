import { Injectable } from '@nestjs/common';
import { empty, json, type Answer } from '../http/answer.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/parse-input.js';
import { IamError } from '../iam.error.js';
import { SessionList } from '../sessions/session-list.service.js';
import { toIdPage, toPageRequest } from './id-page.js';
import { sessionQuery, toSessionItem } from './sessions.view.js';

/** Sessions in the admin API. */
@Injectable()
export class AdminSessions {
  constructor(private readonly sessions: SessionList) {}

  async list({ query }: IamRequest): Promise<Answer> {
    const filter = parseInput(sessionQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.sessions.page(filter, page), page, toSessionItem));
  }

  /** @throws IamError `not_found`; a session that is over stays so */
  async end(id: string): Promise<Answer> {
    if (!(await this.sessions.end(id, 'ended_by_admin'))) throw new IamError('not_found', 'no such session');
    return empty(204);
  }
}
