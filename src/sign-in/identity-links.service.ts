import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { recordRefusal } from '../audit/record-audit.js';
import { inTransaction } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import type { Subject, LinkedIdentity } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { Bindings } from './bindings.service.js';

/** What WeChat has just proved in an attempt to link, and who asked for it. */
export interface ProvenLink {
  readonly subject: Subject;
  readonly link: ActingSession;
  readonly clientId: string;
}

/** What a link has come to, for the row of its login. */
export interface LinkOutcome {
  readonly userId: string;
  readonly sessionId: string;
  readonly appid: string;
  readonly openid: string;
  readonly identityId: string;
}

/** Writes the link into the row of its login; false when that login was ended meanwhile. */
export type RecordLink = (manager: EntityManager, linked: LinkOutcome) => Promise<boolean>;

/** A `binding_token` in the hands of a signed-in user. */
export interface BindingLink {
  readonly bindingToken: string;
  readonly link: ActingSession;
  readonly clientId: string;
  readonly holdsAttempt: (hash: string) => boolean;
}

/**
 * Links another WeChat identity to a signed-in user, whichever way it was proven. In one transaction: the session that
 * asked still lives, its user is active and locked, the identity is nobody else's. Nothing outlives the proof that
 * another upstream account could use (security 62).
 */
@Injectable()
export class IdentityLinks {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly users: Users,
    private readonly sessions: UserSessions,
    private readonly bindings: Bindings,
  ) {}

  /**
   * Links what a login has proved; an error of it ends the login. A login that was ended meanwhile takes the link with it.
   * @throws IamError `invalid_token`, `user_disabled`, `identity_conflict` or `login_interrupted`
   */
  async finish({ subject, link, clientId }: ProvenLink, record: RecordLink): Promise<LinkedIdentity> {
    return inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, link);
      const by = { sessionId: link.sessionId, clientId };
      const linked = await this.users.link(manager, subject, link.userId, by);
      const { appid, openid } = subject;
      if (!(await record(manager, { ...link, appid, openid, identityId: linked.id })))
        throw new IamError('login_interrupted', 'the attempt was ended meanwhile');
      return linked;
    });
  }

  /**
   * Links the identity behind a binding token, which is bound to it, to client and browser, and works once.
   * @throws IamError `binding_token_invalid`, `invalid_token`, `user_disabled` or `identity_conflict`
   */
  async redeem({ bindingToken, link, ...bearer }: BindingLink): Promise<LinkedIdentity> {
    const by = { sessionId: link.sessionId, clientId: bearer.clientId };
    try {
      return await inTransaction(this.dataSource, async (manager) => {
        await this.sessions.lockActing(manager, link);
        const subject = await this.bindings.redeem(manager, bindingToken, link.userId, bearer);
        return this.users.link(manager, subject, link.userId, by);
      });
    } catch (error) {
      if (error instanceof IamError) await this.refused(error, link, by);
      throw error;
    }
  }

  private async refused(
    { code: error }: IamError,
    { userId }: ActingSession,
    by: { readonly sessionId: string; readonly clientId: string },
  ): Promise<void> {
    const detail = { method: 'binding_token', error };
    await recordRefusal(this.dataSource, { ...by, action: 'identity.link_refused', userId, detail });
  }
}
