import { Delete, Get, Patch, Post } from '@nestjs/common';
import type { IamResponse } from '../http/iam-response.js';
import { type AuthenticatedUser, CurrentUser, Incoming } from '../http/parameter.decorators.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { UserController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { AccountDeletion, deletionResponse } from '../privacy/account-deletion.service.js';
import { AccountExport, exportResponse, exportExample } from '../privacy/account-export.service.js';
import { meResponse, meExample } from './me-response.js';
import { MeProfile, profileBody } from './me-profile.service.js';
import { phoneResponse, phoneBody, PhoneNumbers } from './phone-numbers.service.js';

/** The signed-in user's own record. */
@UserController('me')
export class MeController {
  constructor(
    private readonly profile: MeProfile,
    private readonly exports: AccountExport,
    private readonly deletion: AccountDeletion,
    private readonly phoneNumbers: PhoneNumbers,
  ) {}

  @Endpoint({
    summary: 'The signed-in user',
    responses: { 200: meResponse },
    example: meExample,
    errors: ['user_disabled'],
  })
  @Get()
  me(@CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.profile.show(user);
  }

  @Endpoint({
    summary: 'Sets the nickname of the signed-in user, which WeChat does not replace',
    body: profileBody,
    responses: { 200: meResponse },
    example: meExample,
    errors: ['user_disabled'],
  })
  @Patch()
  change(@CurrentUser() user: AuthenticatedUser, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.profile.change(request, user);
  }

  @Endpoint({
    summary: 'Everything held about the signed-in user, as one document',
    responses: { 200: exportResponse },
    example: exportExample,
    errors: ['user_disabled'],
  })
  @Get('export')
  export(@CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.exports.export(user);
  }

  @Endpoint({
    summary:
      'Has the account erased after `deletionGraceDays`, and ends every other session; 204 when it is erased at once',
    responses: { 200: deletionResponse, 204: null },
    example: { deletion_at: '2026-02-08T09:30:00.000Z' },
    errors: ['recent_sign_in_required', 'user_disabled', 'in_use'],
  })
  @RequireRecentSignIn()
  @Post('deletion')
  delete(@CurrentUser() user: AuthenticatedUser, @Incoming() request: IamRequest): Promise<IamResponse> {
    return this.deletion.wish(user, request);
  }

  @Endpoint({
    summary: 'Takes the wish to be erased back',
    responses: { 204: null },
    errors: ['user_disabled'],
  })
  @Delete('deletion')
  keep(@CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.deletion.takeBack(user);
  }

  @Endpoint({
    summary: 'Adds the phone number that WeChat has verified, from within a mini program',
    body: phoneBody,
    responses: { 200: phoneResponse },
    example: { phone_number: meExample.phone_number, phone_verified_at: meExample.phone_verified_at },
    errors: [
      'user_disabled',
      'insufficient_permissions',
      'provider_not_found',
      'provider_disabled',
      'provider_misconfigured',
      'wechat_mini_not_configured',
      'phone_code_invalid',
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
  @Post('phone_number')
  verifyPhone(@Incoming() request: IamRequest, @CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.phoneNumbers.verify(request, user);
  }

  @Endpoint({ summary: 'Forgets the phone number', responses: { 204: null }, errors: ['user_disabled'] })
  @Delete('phone_number')
  forgetPhone(@CurrentUser() user: AuthenticatedUser): Promise<IamResponse> {
    return this.phoneNumbers.forget(user);
  }
}
