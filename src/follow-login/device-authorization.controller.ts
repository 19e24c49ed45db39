import { Get, Post } from '@nestjs/common';
import { eventStream, json, type Answer } from '../http/answer.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { followStartErrors, followStartedAnswer, followStartedExample } from './follow-answers.js';
import { FollowEvents, followEventsQuery } from './follow-events.service.js';
import { DeviceAuthorization, deviceAuthorizationBody } from './device-authorization.service.js';

/** Follow-to-login for front-ends with a page of their own (RFC 8628). */
@PublicController('device_authorization')
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
  @Get('events')
  events(@Incoming() request: IamRequest): Answer {
    return eventStream(this.streams.stream(request));
  }
}
