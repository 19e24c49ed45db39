import { Delete, Get, Param } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import { CurrentUser, Incoming } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { AdminController } from '../admin-controller.decorator.js';
import { AdminSessions } from './sessions.service.js';
import { sessionPage, sessionPageExample, sessionQuery } from './sessions.view.js';

/** Who is signed in. */
@AdminController('sessions')
export class AdminSessionsController {
  constructor(private readonly sessions: AdminSessions) {}

  @Endpoint({
    summary: 'Sessions, newest first',
    permission: 'iam:sessions:read',
    query: sessionQuery,
    responses: { 200: sessionPage },
    example: sessionPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.sessions.list(request);
  }

  @Endpoint({
    summary: 'End a session; its access tokens last until they expire, at once with `sessionCheck: always`',
    permission: 'iam:sessions:write',
    path: { id: 'The session' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  end(@Param('id') id: string, @CurrentUser() admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    return this.sessions.end(id, admin);
  }
}
