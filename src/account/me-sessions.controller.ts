import { Delete, Get, Inject, Param } from '@nestjs/common';
import { z } from 'zod';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import type { IamRequest } from '../http/iam-request.js';
import { empty, type IamResponse } from '../http/iam-response.js';
import { CurrentUser, Incoming } from '../http/parameter.decorators.js';
import { UserController } from '../sessions/iam.guard.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { actingSession, userSession, UserSessions } from '../sessions/user-sessions.service.js';

const sessionLimit = z
  .object({
    per_user: z.number().int().nullable(),
    per_client: z.number().int().nullable(),
    then: z.enum(['end_oldest', 'refuse']),
  })
  .describe('How many sessions a user may have: the option `sessions.limit`');
const sessionsResponse = z.object({ items: z.array(userSession), limit: sessionLimit.nullable() });
const endedResponse = z.object({ ended: z.number().int() });

/** Where the signed-in user is signed in. */
@UserController('me/sessions')
export class MeSessionsController {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly sessions: UserSessions,
    private readonly cookies: SessionCookies,
  ) {}

  @Endpoint({
    summary: 'The live sessions of the signed-in user, this one first',
    responses: { 200: sessionsResponse },
    example: {
      items: [
        {
          id: '0198c0de-0000-7000-8000-000000000002',
          current: true,
          client_id: 'web',
          provider: 'wechat',
          method: 'open',
          device: 'Chrome on Windows',
          ip: '203.0.113.9',
          created_at: '2026-01-31T08:00:00.000Z',
          last_used_at: '2026-02-01T09:30:00.000Z',
          expires_at: '2026-03-03T09:30:00.000Z',
        },
      ],
      limit: { per_user: 3, per_client: null, then: 'end_oldest' },
    },
  })
  @Get()
  async list(
    @CurrentUser() user: AuthenticatedPerson,
    @Incoming() { language }: IamRequest,
  ): Promise<z.infer<typeof sessionsResponse>> {
    const { limit } = this.options.sessions;
    return {
      items: await this.sessions.list(actingSession(user), language),
      limit:
        limit === undefined
          ? null
          : { per_user: limit.perUser ?? null, per_client: limit.perClient ?? null, then: limit.then },
    };
  }

  @Endpoint({
    summary: 'Ends every other session of the signed-in user',
    responses: { 200: endedResponse },
    example: { ended: 3 },
  })
  @Delete()
  async endOthers(@CurrentUser() user: AuthenticatedPerson): Promise<z.infer<typeof endedResponse>> {
    const acting = actingSession(user);
    const ended = await this.sessions.act(acting, (manager) =>
      this.sessions.endOthers(manager, acting, 'ended_by_user'),
    );
    return { ended };
  }

  @Endpoint({
    summary: 'Ends one session of the signed-in user, also this one, also one that is over',
    path: { id: 'The session' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(
    @Param('id') id: string,
    @CurrentUser() user: AuthenticatedPerson,
    @Incoming() request: IamRequest,
  ): Promise<IamResponse> {
    await this.sessions.end(id, actingSession(user));
    return { ...empty(204), cookies: this.cookies.clearOf(id, request) };
  }
}
