import { Controller, Get, UseFilters, UseGuards, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import { json, type Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { CurrentUser } from '../http/current-user.decorator.js';
import { ProblemFilter } from '../http/error.filter.js';
import { IamGuard } from '../http/iam.guard.js';
import { Profiles } from '../users/profiles.service.js';

/** The signed-in user's own record. */
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@UseGuards(IamGuard)
@Controller({ path: 'me', version: VERSION_NEUTRAL })
export class MeController {
  constructor(private readonly profiles: Profiles) {}

  @Get()
  async me(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return json({ ...(await this.profiles.get(user.id)), roles: user.roles });
  }
}
