import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordAudit } from '../audit/record-audit.js';
import { inTransaction } from '../database/in-transaction.js';
import { empty, type Answer } from '../http/answer.js';
import type { IamRequest } from '../http/iam-request.js';
import { parseInput } from '../http/parse-input.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { Logins } from '../logins/logins.service.js';
import { Sessions } from '../sessions/sessions.service.js';
import { setUserStatus } from '../users/change-user.js';
import { lockUser } from '../users/lock-users.js';
import { OwnIdentities } from '../users/own-identities.service.js';
import { parseBody } from './parse-body.js';
import { disableBody, unlinkQuery } from './users.requests.js';

/** A user and an identity, as a path names them. */
export interface Link {
  readonly id: string;
  readonly identity: string;
}

/** Who may come in: users shut out and let in again, their sessions ended. */
@Injectable()
export class AdminUserAccess {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly logins: Logins,
    private readonly sessions: Sessions,
    private readonly identities: OwnIdentities,
  ) {}

  /** Refreshing is refused from the same moment. @throws IamError `not_found` */
  async disable(id: string, { body }: IamRequest): Promise<Answer> {
    const detail = parseBody(disableBody, body);
    await inTransaction(this.dataSource, async (manager) => {
      const { status } = await lockUser(manager, id);
      if (status === 'disabled') return;
      await setUserStatus(manager, id, 'disabled');
      await recordAudit(manager, { action: 'user.disabled', userId: id, detail });
      await this.signOut(manager, id, 'user_disabled');
    });
    return empty(204);
  }

  /** @throws IamError `not_found` */
  async enable(id: string): Promise<Answer> {
    await inTransaction(this.dataSource, async (manager) => {
      const { status } = await lockUser(manager, id);
      if (status === 'active') return;
      await setUserStatus(manager, id, 'active');
      await recordAudit(manager, { action: 'user.enabled', userId: id });
    });
    return empty(204);
  }

  /** @throws IamError `not_found` */
  async endSessions(id: string): Promise<Answer> {
    await inTransaction(this.dataSource, async (manager) => {
      await lockUser(manager, id);
      await this.signOut(manager, id, 'ended_by_admin');
    });
    return empty(204);
  }

  /** What came by the identity ends with it. @throws IamError `not_found`, `last_identity` */
  async unlink({ id, identity }: Link, { query }: IamRequest): Promise<Answer> {
    const { force } = parseInput(unlinkQuery, query);
    await inTransaction(this.dataSource, async (manager) => {
      await lockUser(manager, id);
      const gone = await this.identities.unlink(manager, id, identity, { evenLast: force });
      await this.logins.endOfIdentity(manager, gone);
      await this.sessions.endOfIdentity(manager, gone, 'identity_unlinked');
      const { provider, ...detail } = gone;
      await recordAudit(manager, { action: 'identity.unlinked', userId: id, provider, detail });
    });
    return empty(204);
  }

  /** What is signed in, and what is about to be. */
  private async signOut(manager: EntityManager, id: string, reason: string): Promise<void> {
    await this.logins.endOfUser(manager, id);
    await this.sessions.endAll(manager, id, reason);
  }
}
