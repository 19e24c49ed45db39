import {
  Controller,
  Delete,
  Get,
  Param,
  UseFilters,
  UseGuards,
  UseInterceptors,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { AdminGuard } from './admin.guard.js';
import { AdminSessions } from './sessions.service.js';
import { sessionPage, sessionPageExample, sessionQuery } from './sessions.view.js';

/** Who is signed in. */
@Public()
@UseGuards(AdminGuard)
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ path: 'admin/sessions', version: VERSION_NEUTRAL })
export class AdminSessionsController {
  constructor(private readonly sessions: AdminSessions) {}

  @Endpoint({
    summary: 'Sessions, newest first',
    permission: 'iam:sessions:read',
    query: sessionQuery,
    answers: { 200: sessionPage },
    example: sessionPageExample,
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<Answer> {
    return this.sessions.list(request);
  }

  @Endpoint({
    summary: 'End a session; its access tokens last until they expire, at once with `sessionCheck: always`',
    permission: 'iam:sessions:write',
    path: { id: 'The session' },
    answers: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  end(@Param('id') id: string): Promise<Answer> {
    return this.sessions.end(id);
  }
}
