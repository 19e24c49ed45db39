import { Delete, Get, Param, Post } from '@nestjs/common';
import type { IamResponse } from '../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../http/parameter.decorators.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { UserController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { identitiesResponse, identityExample, identityView } from './identity-view.js';
import { linkBody, LinkIdentity } from './link-identity.service.js';
import { MeIdentities, unlinkedResponse, unlinkQuery } from './me-identities.service.js';

/** The WeChat identities by which the signed-in user signs in. */
@UserController('me/identities')
export class MeIdentitiesController {
  constructor(
    private readonly identities: MeIdentities,
    private readonly links: LinkIdentity,
  ) {}

  @Endpoint({
    summary: 'The identities of the signed-in user',
    responses: { 200: identitiesResponse },
    example: { items: [identityExample] },
    errors: ['user_disabled'],
  })
  @Get()
  list(@CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.identities.list(user);
  }

  @Endpoint({
    summary:
      'Links another identity, by a `binding_token` or by the code of a mini program or mobile app; 200 when it is linked already',
    body: linkBody,
    responses: { 200: identityView, 201: identityView },
    example: identityExample,
    errors: [
      'recent_sign_in_required',
      'binding_token_invalid',
      'identity_conflict',
      'user_disabled',
      'code_already_used',
      'login_interrupted',
      'snapshot_user',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'wechat_mini_not_configured',
      'wechat_mobile_not_configured',
      'wechat_code_invalid',
      'rate_limited',
      'wechat_unavailable',
      'wechat_answer_invalid',
      'wechat_credentials_rejected',
      'wechat_ip_not_allowed',
      'wechat_quota_exceeded',
      'wechat_permission_missing',
      'wechat_user_restricted',
    ],
  })
  @RequireRecentSignIn()
  @Post()
  link(@Incoming() request: IamRequest, @CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.links.link(request, user);
  }

  @Endpoint({
    summary: 'Unlinks an identity, never the last; sessions that began by it end',
    path: { id: 'The identity' },
    query: unlinkQuery,
    responses: { 200: unlinkedResponse },
    example: { id: identityExample.id, rejoins: false },
    errors: ['recent_sign_in_required', 'not_found', 'last_identity', 'user_disabled'],
  })
  @RequireRecentSignIn()
  @Delete(':id')
  unlink(
    @Param('id') id: string,
    @CurrentUser() user: AuthenticatedUser,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    return this.identities.unlink(id, user, request);
  }
}
