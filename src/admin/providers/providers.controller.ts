import { Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import type { IamResponse } from '../../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../../http/parameter.decorators.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { AdminController } from '../admin.guard.js';
import { checkExample, checkView } from '../../identity-providers/check/check-items.js';
import { ProviderCheck } from '../../identity-providers/check/provider-check.service.js';
import {
  providerExample,
  createProviderBody,
  providerQuery,
  rotateBody,
  updateProviderBody,
  providerPage,
  providerView,
  rotationView,
} from './providers.view.js';
import { AdminProviders } from './providers.service.js';

const path = { slug: 'The provider' };

/** Identity providers. */
@AdminController('providers')
export class AdminProvidersController {
  constructor(
    private readonly providers: AdminProviders,
    private readonly checker: ProviderCheck,
  ) {}

  @Endpoint({
    summary: 'Identity providers by slug; of secrets only whether they are set',
    permission: 'iam:providers:read',
    query: providerQuery,
    responses: { 200: providerPage },
    example: { items: [providerExample], next_cursor: null },
  })
  @Get()
  list(@Incoming() request: IamRequest): Promise<IamResponse> {
    return this.providers.list(request);
  }

  @Endpoint({
    summary:
      'Create an identity provider; secrets are given in clear and stored sealed. Apps, keys, message mode and union scope take `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    body: createProviderBody,
    responses: { 201: providerView },
    example: providerExample,
    errors: ['already_exists', 'provider_keys_differ'],
  })
  @Post()
  create(
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.providers.create(request, admin);
  }

  @Endpoint({
    summary: 'One identity provider, with its ETag',
    permission: 'iam:providers:read',
    path,
    responses: { 200: providerView },
    example: providerExample,
    errors: ['provider_not_found'],
  })
  @Get(':slug')
  get(@Param('slug') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.providers.get(slug, request);
  }

  @Endpoint({
    summary:
      'Change an identity provider, If-Match its ETag: what is left out stays, null clears. A change of apps, keys, message mode or union scope takes `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    path,
    body: updateProviderBody,
    responses: { 200: providerView },
    example: providerExample,
    errors: [
      'provider_not_found',
      'precondition_required',
      'precondition_failed',
      'in_use',
      'provider_keys_differ',
    ],
  })
  @Patch(':slug')
  update(
    @Param('slug') slug: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.providers.update(slug, request, admin);
  }

  @Endpoint({
    summary:
      'Delete an identity provider, If-Match its ETag, that nobody has ever signed in through; one that holds secrets takes `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    path,
    responses: { 204: null },
    errors: ['provider_not_found', 'precondition_required', 'precondition_failed', 'in_use'],
  })
  @Delete(':slug')
  remove(
    @Param('slug') slug: string,
    @Incoming() request: IamRequest,
    @CurrentUser() admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    return this.providers.remove(slug, request, admin);
  }

  @Endpoint({
    summary:
      'Replace a secret, If-Match the ETag; the Token or EncodingAESKey so far works on as the previous one until that is cleared',
    permission: 'iam:providers:secrets',
    path,
    body: rotateBody,
    responses: { 200: rotationView },
    example: { secret: 'mp_token', value: 'kQ2r8Zt4Wm6Yb1Xc9Vd3Nf5Hg7Jk0Lp2', provider: providerExample },
    errors: [
      'provider_not_found',
      'precondition_required',
      'precondition_failed',
      'in_use',
      'provider_keys_differ',
    ],
  })
  @Post(':slug/rotate')
  @HttpCode(200)
  rotate(@Param('slug') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.providers.rotate(slug, request);
  }

  @Endpoint({
    summary: 'Ask WeChat and look at the set-up: what works, what does not, and where to mend it',
    permission: 'iam:providers:read',
    path,
    responses: { 200: checkView },
    example: checkExample,
    errors: ['provider_not_found', 'rate_limited'],
  })
  @Post(':slug/check')
  @HttpCode(200)
  check(@Param('slug') slug: string, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.checker.check(slug, request);
  }
}
