import { Delete, Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { created, type Created } from '../http/iam-response.js';
import { CurrentUser, Incoming } from '../http/parameter.decorators.js';
import { Body, FormLikePipe, Query, ZodPipe } from '../http/zod.pipe.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { UserController } from '../sessions/iam-controller.decorator.js';
import { appCodeErrors } from '../sign-in/app-codes.service.js';
import { UserIdentities, userIdentity, type UserIdentity } from '../users/user-identities.service.js';
import { MeIdentities } from './me-identities.service.js';

const identitiesResponse = z.object({ items: z.array(userIdentity) });

/** An identity, for descriptions. */
export const identityExample: UserIdentity = {
  id: '0198c0de-0000-7000-8000-000000000003',
  provider: 'wechat',
  kind: 'mini',
  appid: 'wx0000000000000003',
  linked_at: '2026-01-31T08:00:00.000Z',
  follows: null,
};

const end_other_sessions = z
  .boolean()
  .default(false)
  .meta({ description: 'Also ends every other session of the user' });
const linkBody = z.union([
  z.strictObject({
    binding_token: z
      .string()
      .min(1)
      .max(256)
      .meta({ description: 'Of the same client, in the browser that signed in with WeChat' }),
    end_other_sessions,
  }),
  z.strictObject({
    provider: z.string().min(1).max(63),
    app: z.enum(['mini', 'mobile']),
    code: z.string().min(1).max(512),
    end_other_sessions,
  }),
]);

const unlinkQuery = z.object({
  end_other_sessions: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: '`true` also ends every other session of the user' }),
});
const unlinkedResponse = z.object({
  id: z.uuid(),
  rejoins: z.boolean().meta({
    description:
      'Another identity of the same WeChat person (unionid) stays, so signing in with this one leads here again',
  }),
});

/** The WeChat identities by which the signed-in user signs in. */
@UserController('me/identities')
export class MeIdentitiesController {
  constructor(
    private readonly identities: UserIdentities,
    private readonly changes: MeIdentities,
    private readonly attempts: AttemptCookies,
  ) {}

  @Endpoint({
    summary: 'The identities of the signed-in user',
    responses: { 200: identitiesResponse },
    example: { items: [identityExample] },
    errors: ['user_disabled'],
  })
  @Get()
  async list(@CurrentUser() user: AuthenticatedUser): Promise<z.infer<typeof identitiesResponse>> {
    return { items: await this.identities.list(user.id) };
  }

  @Endpoint({
    summary:
      'Links another identity, by a `binding_token` or by the code of a mini program or mobile app; 200 when it is linked already',
    responses: { 200: userIdentity, 201: userIdentity },
    example: identityExample,
    errors: [
      'recent_sign_in_required',
      'binding_token_invalid',
      'identity_conflict',
      'user_disabled',
      'code_already_used',
      'login_interrupted',
      'snapshot_user',
      'wechat_mobile_not_configured',
      'wechat_code_invalid',
      ...appCodeErrors,
    ],
  })
  @RequireRecentSignIn()
  @Post()
  async link(
    @Body(new FormLikePipe(linkBody))
    { end_other_sessions: endOtherSessions, ...proof }: z.infer<typeof linkBody>,
    @CurrentUser() user: AuthenticatedUser,
    @Incoming() { origin, cookies }: IamRequest,
  ): Promise<UserIdentity | Created<UserIdentity>> {
    const holdsAttempt = (hash: string) => this.attempts.holds(hash, cookies);
    const source = { origin, holdsAttempt, endOtherSessions };
    const { identity, isNew } = await this.changes.link(proof, user, source);
    return isNew ? created(identity) : identity;
  }

  @Endpoint({
    summary: 'Unlinks an identity, never the last; sessions that began by it end',
    path: { id: 'The identity' },
    responses: { 200: unlinkedResponse },
    example: { id: identityExample.id, rejoins: false },
    errors: ['recent_sign_in_required', 'not_found', 'last_identity', 'user_disabled'],
  })
  @RequireRecentSignIn()
  @Delete(':id')
  unlink(
    @Param('id') id: string,
    @CurrentUser() user: AuthenticatedUser,
    @Query(new ZodPipe(unlinkQuery)) { end_other_sessions }: z.infer<typeof unlinkQuery>,
  ): Promise<z.infer<typeof unlinkedResponse>> {
    return this.changes.unlink(id, user, { endOtherSessions: end_other_sessions === 'true' });
  }
}
