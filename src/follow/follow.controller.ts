import { Controller, Get, Param, Post, UseFilters, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Confirm } from './confirm.service.js';
import { FollowSignIn } from './follow-sign-in.service.js';

/** What the module's own pages call: the PC's sign-in page and the phone's confirm page. */
@Public()
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ version: VERSION_NEUTRAL })
export class FollowController {
  constructor(
    private readonly signIn: FollowSignIn,
    private readonly confirm: Confirm,
  ) {}

  @Post('follow')
  start(@Incoming() request: IamRequest): Promise<Answer> {
    return this.signIn.start(request);
  }

  @Post('follow/finish')
  finish(@Incoming() request: IamRequest): Promise<Answer> {
    return this.signIn.finish(request);
  }

  @Get('confirm/:provider')
  show(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<Answer> {
    return this.confirm.show(slug, request);
  }

  @Post('confirm/:provider')
  decide(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<Answer> {
    return this.confirm.decide(slug, request);
  }
}
