import { Controller, Get, Param, Post, UseFilters, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Webhook } from './webhook.service.js';

/** The server URL of a provider row's Official Account. */
@Public()
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ path: 'webhook', version: VERSION_NEUTRAL })
export class WebhookController {
  constructor(private readonly webhook: Webhook) {}

  @Get(':provider')
  handshake(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<Answer> {
    return this.webhook.handshake(slug, request);
  }

  @Post(':provider')
  push(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<Answer> {
    return this.webhook.push(slug, request);
  }
}
