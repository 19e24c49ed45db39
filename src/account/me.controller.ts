import { Delete, Get, Patch, Post } from '@nestjs/common';
import type { Answer } from '../http/answer.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { CurrentUser } from '../http/current-user.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { UserController } from '../sessions/iam-controller.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Incoming } from '../http/incoming.decorator.js';
import { RequireRecentSignIn } from '../http/requirements.decorator.js';
import { AccountDeletion, deletionAnswer } from '../privacy/account-deletion.service.js';
import { AccountExport, exportAnswer, exportExample } from '../privacy/account-export.service.js';
import { meAnswer, meExample } from './me-answer.js';
import { MyProfile, profileBody } from './my-profile.service.js';
import { phoneAnswer, phoneBody, PhoneNumbers } from './phone-numbers.service.js';

/** The signed-in user's own record. */
@UserController('me')
export class MeController {
  constructor(
    private readonly profile: MyProfile,
    private readonly exports: AccountExport,
    private readonly deletion: AccountDeletion,
    private readonly phoneNumbers: PhoneNumbers,
  ) {}

  @Endpoint({
    summary: 'The signed-in user',
    answers: { 200: meAnswer },
    example: meExample,
    errors: ['user_disabled'],
  })
  @Get()
  me(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return this.profile.show(user);
  }

  @Endpoint({
    summary: 'Sets the nickname of the signed-in user, which WeChat does not replace',
    body: profileBody,
    answers: { 200: meAnswer },
    example: meExample,
    errors: ['user_disabled'],
  })
  @Patch()
  change(@CurrentUser() user: AuthenticatedUser, @Incoming() request: IamRequest): Promise<Answer> {
    return this.profile.change(request, user);
  }

  @Endpoint({
    summary: 'Everything held about the signed-in user, as one document',
    answers: { 200: exportAnswer },
    example: exportExample,
    errors: ['user_disabled'],
  })
  @Get('export')
  export(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return this.exports.export(user);
  }

  @Endpoint({
    summary:
      'Has the account erased after `deletionGraceDays`, and ends every other session; 204 when it is erased at once',
    answers: { 200: deletionAnswer, 204: null },
    example: { deletion_at: '2026-02-08T09:30:00.000Z' },
    errors: ['recent_sign_in_required', 'user_disabled', 'in_use'],
  })
  @RequireRecentSignIn()
  @Post('deletion')
  delete(@CurrentUser() user: AuthenticatedUser, @Incoming() request: IamRequest): Promise<Answer> {
    return this.deletion.wish(user, request);
  }

  @Endpoint({
    summary: 'Takes the wish to be erased back',
    answers: { 204: null },
    errors: ['user_disabled'],
  })
  @Delete('deletion')
  keep(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return this.deletion.takeBack(user);
  }

  @Endpoint({
    summary: 'Adds the phone number that WeChat has verified, from within a mini program',
    body: phoneBody,
    answers: { 200: phoneAnswer },
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
  verifyPhone(@Incoming() request: IamRequest, @CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return this.phoneNumbers.verify(request, user);
  }

  @Endpoint({ summary: 'Forgets the phone number', answers: { 204: null }, errors: ['user_disabled'] })
  @Delete('phone_number')
  forgetPhone(@CurrentUser() user: AuthenticatedUser): Promise<Answer> {
    return this.phoneNumbers.forget(user);
  }
}
