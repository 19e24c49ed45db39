import { Get, Post } from '@nestjs/common';
import { eventStream, json, type IamResponse } from '../http/iam-response.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { followStartErrors, followStartedResponse, followStartedExample } from './follow-responses.js';
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
    responses: { 200: followStartedResponse },
    example: followStartedExample,
    errors: followStartErrors,
  })
  @Post()
  async start(@Incoming() request: IamRequest): Promise<IamResponse> {
    return json(await this.authorization.start(request));
  }

  @Endpoint({
    summary: 'The states of a scan as server-sent events: scanned, confirmed, denied, expired, failed, done',
    query: followEventsQuery,
    responses: { 200: 'text/event-stream' },
    errors: ['not_found', 'rate_limited'],
  })
  @Get('events')
  events(@Incoming() request: IamRequest): IamResponse {
    return eventStream(this.streams.stream(request));
  }
}
