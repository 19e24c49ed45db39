import { Controller, Get, Param, UseFilters, UseInterceptors, VERSION_NEUTRAL } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Authorize } from './authorize.service.js';
import { Callback } from './callback.service.js';
import { Metadata } from './metadata.service.js';
import { ProviderList } from './provider-list.service.js';

/** The endpoints a browser navigates to, and what front-ends read before they start. */
@Public()
@UseFilters(ProblemFilter)
@UseInterceptors(AnswerInterceptor)
@Controller({ version: VERSION_NEUTRAL })
export class OAuthController {
  constructor(
    private readonly providerList: ProviderList,
    private readonly authorize: Authorize,
    private readonly callback: Callback,
    private readonly metadata: Metadata,
  ) {}

  @Get('providers')
  providers(@Incoming() request: IamRequest): Promise<Answer> {
    return this.providerList.list(request);
  }

  @Get('authorize')
  start(@Incoming() request: IamRequest): Promise<Answer> {
    return this.authorize.start(request);
  }

  @Get('callback/:provider')
  finish(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<Answer> {
    return this.callback.answer(slug, request);
  }

  @Get('jwks')
  jwks(): Promise<Answer> {
    return this.metadata.jwks();
  }

  @Get('.well-known/oauth-authorization-server')
  serverMetadata(): Answer {
    return this.metadata.serverMetadata();
  }
}
