import { Get, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { eventStream, type IamResponse, json } from '../http/iam-response.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Body, Query, ZodPipe } from '../http/zod.pipe.js';
import { Clients, parseOAuthInput } from '../oauth/clients.service.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import { attemptHash } from '../sign-in/attempt-cookies.service.js';
import { Profiles } from '../users/profiles.service.js';
import { followFinishResponse, FollowSignIn } from './finish.service.js';
import { FollowStart, type FollowStarted, followStartedResponse } from './follow-start.service.js';
import { followPage } from './follow.method.js';
import { FollowEvents } from './login-watch.service.js';

/** Why there may be no QR code. */
const followStartErrors: readonly IamErrorCode[] = [
  'invalid_client',
  'invalid_scope',
  'rate_limited',
  'provider_not_found',
  'provider_disabled',
  'provider_misconfigured',
  'method_unavailable',
  'wechat_mp_not_configured',
  'wechat_open_not_configured',
  'wechat_unavailable',
  'wechat_answer_invalid',
  'wechat_credentials_rejected',
  'wechat_ip_not_allowed',
  'wechat_quota_exceeded',
  'wechat_permission_missing',
];

/** A QR code to follow by. */
const followStartedExample: z.infer<typeof followStartedResponse> = {
  device_code: 'd9Qf…',
  user_code: 'WDJB-MJHT',
  number: '4821',
  verification_uri: 'https://app.example.com/iam/device',
  verification_uri_complete: 'http://weixin.qq.com/q/02aB…',
  expires_in: 300,
  interval: 2,
  qr_image: 'data:image/svg+xml;base64,PHN2Zy…',
  confirmation: 'tap',
  events_uri: 'https://app.example.com/iam/device_authorization/events?watch=…',
};

/** The body of `POST /device_authorization` (RFC 8628 §3.1), with the provider whose Official Account is to be followed. */
const deviceAuthorizationBody = z.object({
  client_id: z.string().min(1).max(128),
  provider: z.string().min(1).max(63),
});
/** The query of `GET /device_authorization/events`. */
const eventsQuery = z.object({ watch: z.string().max(256) });
/** Names the attempt, which is in the cookie of the browser that has started it. */
const attemptInput = z.object({ state: z.string().max(64) });
const finishBody = attemptInput.extend({ device_code: z.string().max(256) });

/** Follow-to-login for front-ends with a page of their own (RFC 8628). */
@PublicController('device_authorization')
export class DeviceAuthorizationController {
  constructor(
    private readonly clients: Clients,
    private readonly starts: FollowStart,
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
  async start(@Incoming() { body, origin }: IamRequest): Promise<FollowStarted> {
    const { client_id: clientId, provider } = parseOAuthInput(deviceAuthorizationBody, body);
    this.clients.authenticate(clientId);
    return this.starts.begin({ clientId, provider, origin });
  }

  @Endpoint({
    summary: 'The states of a scan as server-sent events: scanned, confirmed, denied, expired, failed, done',
    responses: { 200: 'text/event-stream' },
    errors: ['not_found', 'rate_limited'],
  })
  @Get('events')
  events(@Query(new ZodPipe(eventsQuery)) { watch }: z.infer<typeof eventsQuery>): IamResponse {
    return eventStream(this.streams.stream(watch));
  }
}

/** What the module's own page on a PC calls. */
@PublicController('follow')
export class FollowController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly starts: FollowStart,
    private readonly signIn: FollowSignIn,
    private readonly profiles: Profiles,
    private readonly urls: IamUrls,
  ) {}

  @Endpoint({
    summary:
      "The module's own page to link another identity by following; `/me/identities/authorize` leads to it",
    responses: { 200: 'text/html' },
    errors: ['state_mismatch', 'state_expired'],
  })
  @Get()
  async linkPage(
    @Query(new ZodPipe(attemptInput)) { state }: z.infer<typeof attemptInput>,
    @Incoming() { cookies, language }: IamRequest,
  ): Promise<IamResponse> {
    const { link } = this.signIn.attempt(state, cookies);
    if (link === undefined) throw new IamError('state_mismatch', 'the attempt is a sign-in');
    const nickname = await this.profiles.findNickname(link.userId);
    return followPage({ language, site: this.options, state, urls: this.urls, link: { nickname } });
  }

  /** A person who lets a QR code expire gets another for the same attempt. */
  @Endpoint({
    summary: "For the module's own sign-in page: a new QR code",
    responses: { 200: followStartedResponse },
    example: followStartedExample,
    errors: ['state_mismatch', 'state_expired', 'invalid_token', ...followStartErrors],
  })
  @Post()
  async start(
    @Body(new ZodPipe(attemptInput, 'form')) { state }: z.infer<typeof attemptInput>,
    @Incoming() { cookies, origin }: IamRequest,
  ): Promise<FollowStarted> {
    const attempt = this.signIn.attempt(state, cookies);
    const { provider, clientId, redirectUri, codeChallenge, link } = attempt;
    return this.starts.begin({
      provider,
      clientId,
      redirectUri,
      codeChallenge,
      attemptHash: attemptHash(state),
      attemptSeconds: this.signIn.secondsLeft(attempt),
      link,
      origin,
    });
  }

  @Endpoint({
    summary: "For the module's own sign-in page: the state, and where to go",
    responses: { 200: followFinishResponse },
    example: { status: 'confirmed', location: 'https://app.example.com/signed-in?code=…&state=…&iss=…' },
    errors: ['state_mismatch', 'state_expired'],
  })
  @Post('finish')
  async finish(
    @Body(new ZodPipe(finishBody, 'form')) { state, device_code: deviceCode }: z.infer<typeof finishBody>,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    const attempt = this.signIn.attempt(state, request.cookies);
    const { cookies = [], ...body } = await this.signIn.finish(attempt, deviceCode, request);
    return { ...json(body), cookies };
  }
}
