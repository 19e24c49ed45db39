import {
  Controller,
  Header,
  type MessageEvent,
  Post,
  Sse,
  UseFilters,
  UseInterceptors,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { json, type Answer } from '../http/answer.js';
import { AnswerInterceptor } from '../http/answer.interceptor.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { OAuthErrorFilter, ProblemFilter } from '../http/error.filter.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Public } from '../http/public.decorator.js';
import { followStartErrors, followStartedAnswer, followStartedExample } from './follow-answers.js';
import { FollowEvents, followEventsQuery } from './follow-events.service.js';
import { DeviceAuthorization, deviceAuthorizationBody } from './device-authorization.service.js';

/** Follow-to-login for front-ends with a page of their own (RFC 8628). */
@Public()
@Controller({ path: 'device_authorization', version: VERSION_NEUTRAL })
export class DeviceAuthorizationController {
  constructor(
    private readonly authorization: DeviceAuthorization,
    private readonly streams: FollowEvents,
  ) {}

  @Endpoint({
    summary: 'Starts follow-to-login on a page of your own (RFC 8628)',
    body: deviceAuthorizationBody,
    bodyType: 'form',
    answers: { 200: followStartedAnswer },
    example: followStartedExample,
    errors: followStartErrors,
  })
  @UseFilters(OAuthErrorFilter)
  @UseInterceptors(AnswerInterceptor)
  @Post()
  async start(@Incoming() request: IamRequest): Promise<Answer> {
    return json(await this.authorization.start(request));
  }

  @Endpoint({
    summary: 'The states of a scan as server-sent events: scanned, confirmed, denied, expired, failed, done',
    query: followEventsQuery,
    answers: { 200: 'text/event-stream' },
    errors: ['not_found', 'rate_limited'],
  })
  @UseFilters(ProblemFilter)
  @Header('Cache-Control', 'no-store')
  @Header('X-Accel-Buffering', 'no')
  @Sse('events')
  events(@Incoming() request: IamRequest): Observable<MessageEvent> {
    return this.streams.stream(request);
  }
}
