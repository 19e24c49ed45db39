import { Get, Injectable, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { eventStream, type IamResponse, json } from '../http/iam-response.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Clients } from '../oauth/clients.service.js';
import { parseOAuthInput } from '../oauth/oauth-input.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import { Confirm, decisionBody } from './confirm.service.js';
import { finishBody, FollowLink, FollowSignIn, linkPageQuery, startBody } from './finish.service.js';
import {
  followFinishResponse,
  FollowStart,
  type FollowStarted,
  followStartedExample,
  followStartedResponse,
  followStartErrors,
} from './follow-start.service.js';
import { FollowEvents, followEventsQuery } from './login-watch.service.js';

/** The body of `POST /device_authorization`. */
export const deviceAuthorizationBody = z.object({
  client_id: z.string().min(1).max(128),
  provider: z.string().min(1).max(63),
});

/** `POST /device_authorization` (RFC 8628 §3.1), with the provider whose Official Account is to be followed. */
@Injectable()
export class DeviceAuthorization {
  constructor(
    private readonly clients: Clients,
    private readonly starts: FollowStart,
  ) {}

  async start(request: IamRequest): Promise<FollowStarted> {
    const { client_id: clientId, provider } = parseOAuthInput(deviceAuthorizationBody, request.body);
    this.clients.authenticate(clientId);
    return this.starts.begin({ clientId, provider, origin: request.origin });
  }
}

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

/** What the module's own pages call: the PC's sign-in page and the phone's confirm page. */
@PublicController()
export class FollowController {
  constructor(
    private readonly signIn: FollowSignIn,
    private readonly links: FollowLink,
    private readonly confirm: Confirm,
  ) {}

  @Endpoint({
    summary:
      "The module's own page to link another identity by following; `/me/identities/authorize` leads to it",
    query: linkPageQuery,
    responses: { 200: 'text/html' },
    errors: ['state_mismatch', 'state_expired'],
  })
  @Get('follow')
  linkPage(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.links.page(request);
  }

  @Endpoint({
    summary: "For the module's own sign-in page: a new QR code",
    body: startBody,
    bodyType: 'form',
    responses: { 200: followStartedResponse },
    example: followStartedExample,
    errors: ['state_mismatch', 'state_expired', 'invalid_token', ...followStartErrors],
  })
  @Post('follow')
  start(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.signIn.start(request);
  }

  @Endpoint({
    summary: "For the module's own sign-in page: the state, and where to go",
    body: finishBody,
    bodyType: 'form',
    responses: { 200: followFinishResponse },
    example: { status: 'confirmed', location: 'https://app.example.com/signed-in?code=…&state=…&iss=…' },
    errors: ['state_mismatch', 'state_expired'],
  })
  @Post('follow/finish')
  finish(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.signIn.finish(request);
  }

  @Endpoint({
    summary: "The phone's page for a scan; proves the scanner by Official Account OAuth",
    path: { provider: 'Slug of the provider row' },
    responses: { 200: 'text/html', 303: null, 302: null },
    errors: [
      'not_found',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'origin_forbidden',
      'state_mismatch',
      'wechat_unavailable',
      'wechat_answer_invalid',
      'wechat_code_invalid',
      'wechat_credentials_rejected',
      'snapshot_user',
      'rate_limited',
    ],
  })
  @Get('confirm/:provider')
  show(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.confirm.show(slug, request);
  }

  @Endpoint({
    summary: 'The decision on the phone',
    path: { provider: 'Slug of the provider row' },
    body: decisionBody,
    bodyType: 'application/x-www-form-urlencoded',
    responses: { 200: 'text/html', 303: null },
    errors: [
      'not_found',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'origin_forbidden',
    ],
  })
  @Post('confirm/:provider')
  decide(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.confirm.decide(slug, request);
  }
}
