import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { inTransaction } from '../database/sql.js';
import { Erasure } from './erasure.service.js';
import { empty, json, type IamResponse } from '../http/iam-response.js';
import type { AuthenticatedUser } from '../http/parameter.decorators.js';
import type { IamRequest } from '../http/iam-request.js';
import { SessionCookies } from '../sessions/session-cookies.service.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { UserSessions, type ActingSession, actingSession } from '../sessions/user-sessions.service.js';
import { cancelDeletion, requestDeletion } from '../users/change-user.js';

/** The day on which the account is erased. */
export const deletionResponse = z.object({ deletion_at: z.iso.datetime() });

/** `/me/deletion`: a person's wish to be forgotten, which they may take back until the option `deletionGraceDays` is over. */
@Injectable()
export class AccountDeletion {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly sessions: UserSessions,
    private readonly erasure: Erasure,
    private readonly cookies: SessionCookies,
  ) {}

  /** Ends every other session; without a grace the account is gone with the answer. */
  async wish(user: AuthenticatedUser, request: IamRequest): Promise<IamResponse> {
    const acting = actingSession(user);
    const day = await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      return this.wishOrErase(manager, acting);
    });
    if (day !== null) return json({ deletion_at: day.toISOString() });
    return { ...empty(204), cookies: this.cookies.clearOf(user.sessionId, request) };
  }

  async takeBack(user: AuthenticatedUser): Promise<IamResponse> {
    const acting = actingSession(user);
    await inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, acting);
      await cancelDeletion(manager, acting.userId, { sessionId: acting.sessionId });
    });
    return empty(204);
  }

  private async wishOrErase(manager: EntityManager, acting: ActingSession): Promise<Date | null> {
    const { userId, sessionId } = acting;
    const graceDays = this.options.deletionGraceDays;
    const day = await requestDeletion(manager, userId, { graceDays, sessionId });
    await this.sessions.endOthers(manager, acting, 'deletion_requested');
    if (graceDays > 0) return day;
    await this.erasure.eraseIn(manager, userId);
    return null;
  }
}
