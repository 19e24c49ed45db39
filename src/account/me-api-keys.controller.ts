import { Delete, Get, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { RequireRecentSignIn } from '../http/access-policy.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Created } from '../http/iam-response.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { CurrentUser, Body, ZodPipe } from '../http/parameter.decorators.js';
import {
  type ApiKey,
  apiKeyRow,
  madeApiKey,
  type MadeApiKey,
  newApiKey,
  type NewApiKey,
} from '../sessions/api-keys/api-key.js';
import { ApiKeys } from '../sessions/api-keys/api-keys.service.js';
import { UserController } from '../sessions/iam.guard.js';
import { actingSession, UserSessions } from '../sessions/user-sessions.service.js';
import { CrossDeviceSessions } from '../sign-in/cross-device-sessions.service.js';

const keysResponse = z.object({
  items: z.array(apiKeyRow),
  permissions: z
    .array(z.string())
    .describe('What this user may give a key: some may be patterns such as `orders:*`'),
});

/** A key as it was just made. */
export const apiKeyExample: ApiKey = {
  id: '0198c0de-0000-7000-8000-000000000005',
  name: '日报脚本',
  prefix: 'iamk_kQ2r8Z',
  permissions: ['orders:read'],
  live: true,
  created_at: '2026-01-31T08:00:00.000Z',
  expires_at: '2026-05-01T08:00:00.000Z',
  last_used_at: null,
  ended_at: null,
  end_reason: null,
};

/** See `madeApiKey`. */
export const madeExample: MadeApiKey = {
  key: 'iamk_kQ2r8Zt4Wm6Yb1Xc9Vd3Nf5Hg7Jk0Lp2Qw4Er6Ty8Ui0',
  api_key: apiKeyExample,
};

/** The API keys of the signed-in user. */
@UserController('me/api_keys')
export class MeApiKeysController {
  constructor(
    private readonly crossDevice: CrossDeviceSessions,
    private readonly sessions: UserSessions,
    private readonly keys: ApiKeys,
  ) {}

  @Endpoint({
    summary: 'The API keys of the signed-in user that have not been ended, the newest first',
    responses: { 200: keysResponse },
    example: { items: [apiKeyExample], permissions: ['orders:*'] },
  })
  @Get()
  async list(@CurrentUser() { id: userId }: AuthenticatedPerson): Promise<z.infer<typeof keysResponse>> {
    return { items: await this.keys.list({ userId }), permissions: await this.keys.grantable({ userId }) };
  }

  @Endpoint({
    summary: 'Makes an API key, which acts for the signed-in user within its permissions',
    responses: { 201: madeApiKey },
    example: madeExample,
    errors: ['insufficient_permissions', 'api_key_limit_reached'],
  })
  @RequireRecentSignIn()
  @Post()
  async create(
    @Body(new ZodPipe(newApiKey)) given: NewApiKey,
    @CurrentUser() user: AuthenticatedPerson,
  ): Promise<Created<MadeApiKey>> {
    this.crossDevice.requireForKey(user, given.permissions);
    const { id: userId, sessionId } = user;
    const made = await this.sessions.act(actingSession(user), (manager) =>
      this.keys.create(manager, { userId }, { ...given, sessionId }),
    );
    return new Created(made);
  }

  @Endpoint({
    summary: 'Ends an API key of the signed-in user',
    path: { id: 'The API key' },
    responses: { 204: null },
    errors: ['not_found'],
  })
  @Delete(':id')
  async end(@Param('id') id: string, @CurrentUser() user: AuthenticatedPerson): Promise<void> {
    const { id: userId, sessionId } = user;
    await this.sessions.act(actingSession(user), (manager) =>
      this.keys.end(manager, { userId }, id, { reason: 'ended_by_user', sessionId }),
    );
  }
}
