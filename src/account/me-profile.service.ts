import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseBody } from '../http/zod.pipe.js';
import { plainText } from '../database/database-errors.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions, actingSession } from '../sessions/user-sessions.service.js';
import { updateUser } from '../users/change-user.js';
import { Profiles } from '../users/profiles.service.js';
import { cleanNickname } from '../wechat/profile-text.js';

/** What a person may change of themself. */
export const profileBody = z.strictObject({
  nickname: plainText(512)
    .refine((text) => cleanNickname(text) !== null, { error: 'nothing visible' })
    .nullable()
    .meta({ description: 'At most 64 visible characters are kept; null empties it, for WeChat to fill' }),
});

/** `/me`: the signed-in user's own record, and the one thing in it that is theirs to write. */
@Injectable()
export class MeProfile {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly profiles: Profiles,
    private readonly sessions: UserSessions,
  ) {}

  async show(user: AuthenticatedUser): Promise<IamResponse> {
    return json({ ...(await this.profiles.get(user.id)), roles: user.roles });
  }

  /** @throws IamError `invalid_request`, `invalid_token` when the session is over, `user_disabled` */
  async change({ body }: IamRequest, user: AuthenticatedUser): Promise<IamResponse> {
    const { nickname } = parseBody(profileBody, body);
    const acting = actingSession(user);
    await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      await updateUser(manager, acting.userId, { by: 'user', nickname: cleanNickname(nickname) });
    });
    return this.show(user);
  }
}
