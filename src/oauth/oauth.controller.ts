import { Get, Param } from '@nestjs/common';
import { z } from 'zod';
import type { IamResponse } from '../http/iam-response.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { PublicController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/parameter.decorators.js';
import { Authorize, authorizeQuery } from './authorize.service.js';
import { Callback } from './callback.service.js';
import { Metadata } from './metadata.service.js';
import {
  jwksResponse,
  metadataResponse,
  metadataExample,
  providerListResponse,
  widgetResponse,
} from './oauth-responses.js';
import { ProviderList } from './provider-list.service.js';

const client = { client_id: z.string(), redirect_uri: z.url() };

/** The endpoints a browser navigates to, and what front-ends read before they start. */
@PublicController()
export class OAuthController {
  constructor(
    private readonly providerList: ProviderList,
    private readonly authorize: Authorize,
    private readonly callback: Callback,
    private readonly metadata: Metadata,
  ) {}

  @Endpoint({
    summary: 'Enabled providers, and what the calling browser can use',
    responses: { 200: providerListResponse },
    example: {
      browser: 'pc',
      providers: [{ slug: 'wechat', name: '微信', methods: ['open'], recommended: 'open', problem: null }],
    },
  })
  @Get('providers')
  providers(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.providerList.list(request);
  }

  @Endpoint({
    summary:
      'Starts a sign-in (RFC 6749 §4.1.1 with PKCE): goes to WeChat, or shows the QR code to follow by',
    query: authorizeQuery.extend(client),
    responses: { 200: [widgetResponse, 'text/html'], 302: null, 303: null },
    example: {
      appid: 'wx0000000000000001',
      scope: 'snsapi_login',
      redirect_uri: 'https%3A%2F%2Fapp.example.com%2Fiam%2Fcallback%2Fwechat',
      state: 'kzA0…',
      expires_in: 600,
    },
    errors: [
      'client_unknown',
      'redirect_uri_mismatch',
      'unsupported_response_type',
      'invalid_scope',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'browser_unsupported',
      'method_unavailable',
      'follow_required',
      'wechat_open_not_configured',
      'wechat_mp_not_configured',
    ],
  })
  @Get('authorize')
  start(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.authorize.start(request);
  }

  @Endpoint({
    summary: 'Where WeChat returns: goes on to redirect_uri with a code or an error',
    path: { provider: 'Slug of the provider row' },
    query: z.object({ code: z.string().optional(), state: z.string().optional() }),
    responses: { 303: null },
    errors: ['state_mismatch', 'state_expired', 'login_interrupted', 'not_found'],
  })
  @Get('callback/:provider')
  finish(@Param('provider') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.callback.answer(slug, request);
  }

  @Endpoint({
    summary: 'Public keys of access tokens (RFC 7517)',
    responses: { 200: jwksResponse },
    example: {
      keys: [{ kty: 'EC', crv: 'P-256', x: '…', y: '…', kid: '…', alg: 'ES256', use: 'sig' }],
    },
  })
  @Get('jwks')
  jwks(): Promise<IamResponse> {
    return this.metadata.jwks();
  }

  @Endpoint({
    summary: 'Authorization server metadata (RFC 8414)',
    responses: { 200: metadataResponse },
    example: metadataExample,
  })
  @Get('.well-known/oauth-authorization-server')
  serverMetadata(): IamResponse {
    return this.metadata.serverMetadata();
  }
}
