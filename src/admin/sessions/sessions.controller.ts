import { Delete, Get, Param } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput } from '../../http/zod.pipe.js';
import { AdminController } from '../admin.guard.js';
import { IamError } from '../../errors/iam.error.js';
import { SessionList } from '../../sessions/session-list.service.js';
import { AdminReach } from '../admin-reach.service.js';
import { toIdPage, toPageRequest } from '../page.js';
import { sessionPage, sessionPageExample, sessionQuery, toSessionItem } from './sessions.view.js';

/** Who is signed in. */
@AdminController('sessions')
export class AdminSessionsController {
  constructor(
    private readonly sessions: SessionList,
    private readonly reach: AdminReach,
  ) {}

  @Endpoint({
    summary: 'Sessions, newest first',
    permission: 'iam:sessions:read',
    query: sessionQuery,
    responses: { 200: sessionPage },
    example: sessionPageExample,
  })
  @Get()
  async list(@Incoming() { query }: IamRequest): Promise<IamResponse> {
    const filter = parseInput(sessionQuery, query);
    const page = toPageRequest(filter);
    return json(toIdPage(await this.sessions.page(filter, page), page, toSessionItem));
  }

  @Endpoint({
    summary: 'End a session; its access tokens last until they expire, at once with `sessionCheck: always`',
    permission: 'iam:sessions:write',
    path: { id: 'The session' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(
    @Param('id') id: string,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    const owner = await this.sessions.findOwner(id);
    if (owner !== null) await this.reach.require(admin, owner);
    if (!(await this.sessions.end(id, 'ended_by_admin'))) throw new IamError('not_found', 'no such session');
    return empty(204);
  }
}
