import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { recordAudit } from '../../audit/record-audit.js';
import { empty, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/authenticated-user.js';
import type { IamRequest } from '../../http/iam-request.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import { SignOut } from '../../sign-in/sign-out.service.js';
import { setUserStatus } from '../../users/change-user.js';
import type { LockedUser } from '../../users/lock-users.js';
import { AdminReach } from '../admin-reach.service.js';
import { disableBody, unlinkQuery } from './users.requests.js';

/** A user as a path names them, and who acts. */
export interface OnUser {
  readonly id: string;
  readonly admin: AuthenticatedUser | undefined;
}

/** A user and an identity of theirs. */
export interface OnIdentity extends OnUser {
  readonly identity: string;
}

/** Who may come in: users shut out and let in again, their sessions ended. */
@Injectable()
export class AdminUserAccess {
  constructor(
    private readonly reach: AdminReach,
    private readonly signOut: SignOut,
  ) {}

  /** Refreshing is refused from the same moment. @throws IamError `not_found`, `insufficient_permissions` */
  disable(on: OnUser, { body }: IamRequest): Promise<IamResponse> {
    const detail = parseBody(disableBody, body);
    return this.act(on, async (manager, { id, status }) => {
      if (status === 'disabled') return;
      await setUserStatus(manager, id, 'disabled');
      await recordAudit(manager, { action: 'user.disabled', userId: id, detail });
      await this.signOut.ofUser(manager, id, 'user_disabled');
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  enable(on: OnUser): Promise<IamResponse> {
    return this.act(on, async (manager, { id, status }) => {
      if (status === 'active') return;
      await setUserStatus(manager, id, 'active');
      await recordAudit(manager, { action: 'user.enabled', userId: id });
    });
  }

  /** @throws IamError `not_found`, `insufficient_permissions` */
  endSessions(on: OnUser): Promise<IamResponse> {
    return this.act(on, (manager, { id }) => this.signOut.ofUser(manager, id, 'ended_by_admin'));
  }

  /** What came by the identity ends with it. @throws IamError `not_found`, `last_identity`, `insufficient_permissions` */
  unlink({ identity, ...on }: OnIdentity, { query }: IamRequest): Promise<IamResponse> {
    const { force } = parseInput(unlinkQuery, query);
    return this.act(on, async (manager, { id }) => {
      await this.signOut.unlink(manager, id, identity, { evenLast: force });
    });
  }

  private async act(
    { id, admin }: OnUser,
    work: (manager: EntityManager, user: LockedUser) => Promise<void>,
  ): Promise<IamResponse> {
    await this.reach.act(admin, id, work);
    return empty(204);
  }
}
