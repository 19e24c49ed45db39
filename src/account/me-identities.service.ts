import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/zod.pipe.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { SignOut } from '../sign-in/sign-out.service.js';
import { UserSessions, actingSession } from '../sessions/user-sessions.service.js';
import { UserIdentities } from '../users/user-identities.service.js';
import { toIdentityView } from './identity-view.js';

/** How an identity is given up. */
export const unlinkQuery = z.object({
  end_other_sessions: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: '`true` also ends every other session of the user' }),
});

/** What giving up an identity has led to. */
export const unlinkedResponse = z.object({
  id: z.uuid(),
  rejoins: z.boolean().meta({
    description:
      'Another identity of the same WeChat person (unionid) stays, so signing in with this one leads here again',
  }),
});

/** `/me/identities`: what the signed-in user sees of them, and gives up. */
@Injectable()
export class MeIdentities {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly identities: UserIdentities,
    private readonly ownSessions: UserSessions,
    private readonly signOut: SignOut,
  ) {}

  async list(user: AuthenticatedUser): Promise<IamResponse> {
    const identities = await this.identities.list(user.id);
    return json({ items: identities.map(toIdentityView) });
  }

  /**
   * Sessions and open sign-ins that came by the identity end with it, this session too if it did.
   * @throws IamError `not_found`, `last_identity`, `invalid_token` or `user_disabled`
   */
  async unlink(id: string, user: AuthenticatedUser, { query }: IamRequest): Promise<IamResponse> {
    const { end_other_sessions } = parseInput(unlinkQuery, query);
    const acting = actingSession(user);
    const rejoins = await inTransaction(this.dataSource, async (manager) => {
      await this.ownSessions.lockActing(manager, acting);
      const gone = await this.signOut.unlink(manager, acting.userId, id);
      if (end_other_sessions === 'true')
        await this.ownSessions.endOthers(manager, acting, 'identity_unlinked');
      return gone.rejoins;
    });
    return json({ id, rejoins });
  }
}
