import { Get, Param, Post } from '@nestjs/common';
import type { IamResponse } from '../http/iam-response.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { Confirm, decisionBody } from './confirm.service.js';
import {
  followFinishResponse,
  followStartErrors,
  followStartedResponse,
  followStartedExample,
} from './follow-responses.js';
import { FollowLink, linkPageQuery } from './follow-link.service.js';
import { FollowSignIn, finishBody, startBody } from './follow-sign-in.service.js';

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
