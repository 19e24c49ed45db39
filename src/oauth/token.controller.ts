import { Controller, Post, UseFilters, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { OAuthErrorFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Revocation } from './revocation.service.js';
import { Token } from './token.service.js';

/** The endpoints a client calls with a form or JSON body; errors are those of RFC 6749 §5.2. */
@Public()
@UseFilters(OAuthErrorFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ version: VERSION_NEUTRAL })
export class TokenController {
  constructor(
    private readonly tokens: Token,
    private readonly revocation: Revocation,
  ) {}

  @Post('token')
  token(@Incoming() request: IamRequest): Promise<Answer> {
    return this.tokens.grant(request);
  }

  @Post('revoke')
  revoke(@Incoming() request: IamRequest): Promise<Answer> {
    return this.revocation.revoke(request);
  }
}
