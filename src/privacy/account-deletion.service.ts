import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import { cancelDeletion, requestDeletion } from '../users/change-user.js';
import { Erasure } from './erasure.service.js';

/** A person's request to be erased, which they may cancel until the option `deletionGraceDays` is over. */
@Injectable()
export class AccountDeletion {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly sessions: UserSessions,
    private readonly erasure: Erasure,
  ) {}

  /** Ends every other session. The day of the erasure; null: without a grace the user is erased already. */
  async request(acting: ActingSession): Promise<Date | null> {
    const { userId, sessionId } = acting;
    const { deletionGraceDays: graceDays } = this.options;
    return this.sessions.act(acting, async (manager) => {
      const day = await requestDeletion(manager, userId, { graceDays, sessionId });
      await this.sessions.endOthers(manager, acting, 'deletion_requested');
      if (graceDays > 0) return day;
      await this.erasure.eraseIn(manager, userId);
      return null;
    });
  }

  async cancel(acting: ActingSession): Promise<void> {
    const { userId, sessionId } = acting;
    await this.sessions.act(acting, (manager) => cancelDeletion(manager, userId, { sessionId }));
  }
}
