import { Delete, Get, Inject, Param, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { inTransaction } from '../database/sql.js';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { Created } from '../http/iam-response.js';
import { failureOf } from '../http/to-iam-error.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { CurrentUser, Incoming, Body, FormLikePipe, Query, ZodPipe } from '../http/parameter.decorators.js';
import { AttemptCookies } from '../sign-in/attempt-cookies.service.js';
import { UserController } from '../sessions/iam.guard.js';
import { actingSession, UserSessions } from '../sessions/user-sessions.service.js';
import { AppCodes, appCodeErrors } from '../sign-in/app-codes.service.js';
import { FailureLimits } from '../sign-in/failure-limits.service.js';
import { IdentityLinks } from '../sign-in/identity-links.service.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { Profiles, userIdentity, type UserIdentity } from '../users/profiles.service.js';

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

type Proof = z.infer<typeof linkBody>;

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
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly profiles: Profiles,
    private readonly sessions: UserSessions,
    private readonly codes: AppCodes,
    private readonly links: IdentityLinks,
    private readonly attempts: AttemptCookies,
    private readonly failures: FailureLimits,
    private readonly signOut: SignOut,
  ) {}

  @Endpoint({
    summary: 'The identities of the signed-in user',
    responses: { 200: identitiesResponse },
    example: { items: [identityExample] },
  })
  @Get()
  async list(@CurrentUser() user: AuthenticatedPerson): Promise<z.infer<typeof identitiesResponse>> {
    return { items: await this.profiles.listIdentities(user.id) };
  }

  @Endpoint({
    summary:
      'Links another identity, by a `binding_token` or by the code of a mini program or mobile app; 200 when it is linked already',
    responses: { 200: userIdentity, 201: userIdentity },
    example: identityExample,
    errors: [
      'binding_token_invalid',
      'identity_conflict',
      'insufficient_permissions',
      'phone_number_taken',
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
    @Body(new FormLikePipe(linkBody)) proof: Proof,
    @CurrentUser() user: AuthenticatedPerson,
    @Incoming() request: IamRequest,
  ): Promise<UserIdentity | Created<UserIdentity>> {
    const { id, isNew } = await this.redeem(proof, user, request);
    const acting = actingSession(user);
    // They stay otherwise: each began by an identity that is the user’s already, so a link hands the account over to no other
    // person.
    if (proof.end_other_sessions)
      await inTransaction(this.dataSource, (manager) =>
        this.sessions.endOthers(manager, acting, 'identity_linked'),
      );
    const identity = await this.profiles.getIdentity(user.id, id);
    return isNew ? new Created(identity) : identity;
  }

  @Endpoint({
    summary: 'Unlinks an identity, never the last; sessions that began by it end',
    path: { id: 'The identity' },
    responses: { 200: unlinkedResponse },
    example: { id: identityExample.id, rejoins: false },
    errors: ['not_found', 'last_identity'],
  })
  @RequireRecentSignIn()
  @Delete(':id')
  unlink(
    @Param('id') id: string,
    @CurrentUser() user: AuthenticatedPerson,
    @Query(new ZodPipe(unlinkQuery)) { end_other_sessions }: z.infer<typeof unlinkQuery>,
  ): Promise<z.infer<typeof unlinkedResponse>> {
    const acting = actingSession(user);
    return this.sessions.act(acting, async (manager) => {
      const { rejoins } = await this.signOut.unlink(manager, user.id, id);
      if (end_other_sessions === 'true') await this.sessions.endOthers(manager, acting, 'identity_unlinked');
      return { id, rejoins };
    });
  }

  private redeem(proof: Proof, user: AuthenticatedPerson, { origin, cookies }: IamRequest) {
    const { clientId } = user;
    const link = actingSession(user);
    if (!('binding_token' in proof))
      return this.codes.link({ ...proof, kind: proof.app, clientId }, link, origin);
    const holdsAttempt = (hash: string) => this.attempts.holds(hash, cookies);
    const by = { origin, at: 'binding_token', clientId };
    return this.failures.guard(by, { ofThrown: failureOf }, () =>
      this.links.redeem({ bindingToken: proof.binding_token, link, clientId, holdsAttempt }),
    );
  }
}
