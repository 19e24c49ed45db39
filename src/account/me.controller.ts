import { Delete, Get, Inject, Patch, Post } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { plainText } from '../database/database-errors.js';
import { IamError } from '../errors/iam.error.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { empty, json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { CurrentUser, Incoming, Origin, Body, ZodPipe } from '../http/parameter.decorators.js';
import { failureOf } from '../http/to-iam-error.js';
import { AccountDeletion } from '../privacy/erasure.service.js';
import { AccountExport, exportExample, exportResponse } from '../privacy/account-export.service.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { UserController } from '../sessions/iam.guard.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { actingSession, UserSessions } from '../sessions/user-sessions.service.js';
import { AppCodes, appCodeErrors, phoneCode } from '../sign-in/app-codes.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { forgetPhoneNumber, keepPhoneNumber, updateUser } from '../users/change-user.js';
import { profile, Profiles } from '../users/profiles.service.js';
import { cleanNickname } from '../wechat/profile-text.js';
import { WechatGateway } from '../wechat/wechat-gateway.service.js';
import { identityExample } from './me-identities.controller.js';

const meResponse = profile.extend({ roles: z.array(z.string()) });
type Me = z.infer<typeof meResponse>;

const { provider, kind, appid, linked_at } = identityExample;
const meExample: Me = {
  id: '0198c0de-0000-7000-8000-000000000001',
  external_id: null,
  nickname: '小兰',
  avatar_url: 'https://thirdwx.qlogo.cn/mmopen/…/132',
  phone_number: '+8613800138000',
  phone_verified_at: '2026-02-01T09:30:00.000Z',
  deletion_at: null,
  created_at: '2026-01-31T08:00:00.000Z',
  identities: [{ provider, kind, appid, linked_at }],
  roles: [],
};

const profileBody = z.strictObject({
  nickname: plainText(512)
    .refine((text) => cleanNickname(text) !== null, { error: 'nothing visible' })
    .nullable()
    .meta({ description: 'At most 64 visible characters are kept; null empties it, for WeChat to fill' }),
});

const deletionResponse = z.object({ deletion_at: z.iso.datetime() });

const phoneBody = z.object({ provider: z.string().min(1).max(63), code: phoneCode });
const phoneResponse = z.object({ phone_number: z.string(), phone_verified_at: z.iso.datetime() });

/** The signed-in user's own record. */
@UserController('me')
export class MeController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly profiles: Profiles,
    private readonly sessions: UserSessions,
    private readonly exports: AccountExport,
    private readonly deletion: AccountDeletion,
    private readonly cookies: SessionCookies,
    private readonly codes: AppCodes,
    private readonly gateway: WechatGateway,
    private readonly failures: FailureLimits,
  ) {}

  @Endpoint({ summary: 'The signed-in user', responses: { 200: meResponse }, example: meExample })
  @Get()
  async me(@CurrentUser() user: AuthenticatedPerson): Promise<Me> {
    return { ...(await this.profiles.get(user.id)), roles: [...user.roles] };
  }

  @Endpoint({
    summary: 'Sets the nickname of the signed-in user, which WeChat does not replace',
    responses: { 200: meResponse },
    example: meExample,
  })
  @Patch()
  async change(
    @Body(new ZodPipe(profileBody)) { nickname }: z.infer<typeof profileBody>,
    @CurrentUser() user: AuthenticatedPerson,
  ): Promise<Me> {
    await this.sessions.act(actingSession(user), (manager) =>
      updateUser(manager, user.id, { by: 'user', nickname: cleanNickname(nickname) }),
    );
    return this.me(user);
  }

  @Endpoint({
    summary: 'Everything held about the signed-in user, as one document; of each kind the newest 1000',
    responses: { 200: exportResponse },
    example: exportExample,
  })
  @Get('export')
  async export(@CurrentUser() user: AuthenticatedPerson): Promise<IamResponse> {
    const document = await this.exports.export(actingSession(user));
    return json(document, 200, { 'Content-Disposition': 'attachment; filename="account.json"' });
  }

  @Endpoint({
    summary:
      'Has the account erased after `deletionGraceDays`, and ends every other session; 204 when it is erased at once',
    responses: { 200: deletionResponse, 204: null },
    example: { deletion_at: '2026-02-08T09:30:00.000Z' },
    errors: ['in_use'],
  })
  @RequireRecentSignIn()
  @Post('deletion')
  async requestDeletion(
    @CurrentUser() user: AuthenticatedPerson,
    @Incoming() request: IamRequest,
  ): Promise<z.infer<typeof deletionResponse> | IamResponse> {
    const day = await this.deletion.request(actingSession(user));
    if (day !== null) return { deletion_at: day.toISOString() };
    return { ...empty(204), cookies: this.cookies.clearOf(user.sessionId, request) };
  }

  @Endpoint({ summary: 'Takes the wish to be erased back', responses: { 204: null } })
  @Delete('deletion')
  cancelDeletion(@CurrentUser() user: AuthenticatedPerson): Promise<void> {
    return this.deletion.cancel(actingSession(user));
  }

  /**
   * A number that WeChat has verified is an attribute, by which no user is found, signed in or merged. The session
   * must have begun in that mini program: its openid goes to WeChat with the code, so that a code of another person adds no
   * number.
   */
  @Endpoint({
    summary: 'Adds the phone number that WeChat has verified, from within a mini program',
    responses: { 200: phoneResponse },
    example: { phone_number: meExample.phone_number, phone_verified_at: meExample.phone_verified_at },
    errors: [
      'user_disabled',
      'insufficient_permissions',
      'phone_code_invalid',
      'phone_number_taken',
      ...appCodeErrors,
    ],
  })
  @Post('phone_number')
  async verifyPhone(
    @Body(new ZodPipe(phoneBody)) { provider, code }: z.infer<typeof phoneBody>,
    @CurrentUser() user: AuthenticatedPerson,
    @Origin() origin: RequestOrigin,
  ): Promise<z.infer<typeof phoneResponse>> {
    const { app } = await this.codes.appOf(provider, 'mini');
    const acting = actingSession(user);
    const { appid, openid } = await this.sessions.getSubject(acting);
    if (appid !== app.appid)
      throw new IamError('insufficient_permissions', 'the session did not begin in this mini program');
    const { clientId, sessionId } = user;
    const by = { origin, at: appid, provider, clientId };
    const phoneNumber = await this.failures.guard(by, { ofThrown: failureOf }, () =>
      this.gateway.readPhoneNumber(app, code, openid),
    );
    const verifiedAt = await this.sessions.act(acting, (manager) =>
      keepPhoneNumber(manager, user.id, {
        phone: { phoneNumber, appid, isUnique: this.options.phone.unique },
        provider,
        sessionId,
        clientId,
      }),
    );
    return { phone_number: phoneNumber, phone_verified_at: verifiedAt.toISOString() };
  }

  @Endpoint({ summary: 'Forgets the phone number', responses: { 204: null } })
  @Delete('phone_number')
  forgetPhone(@CurrentUser() user: AuthenticatedPerson): Promise<void> {
    return this.sessions.act(actingSession(user), (manager) =>
      forgetPhoneNumber(manager, user.id, { sessionId: user.sessionId, clientId: user.clientId }),
    );
  }
}
