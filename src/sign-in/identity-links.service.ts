import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordRefusal } from '../audit/record-audit.js';
import { inTransaction, queryRow } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import type { Subject, LinkedIdentity } from '../users/subject.js';
import { Users } from '../users/users.service.js';
import { Bindings } from './bindings.service.js';
import { linkedFollowSql } from '../follow-login/follow-logins.service.js';
import { linkedSql } from './login-statements.js';
import type { LoginStart } from './login-start.js';

const idRow = z.object({ id: z.string() });

/** What WeChat has just proved in an attempt to link, and who asked for it. */
export interface ProvenLink {
  readonly subject: Subject;
  readonly link: ActingSession;
  readonly start: LoginStart;
}

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
   * Links what the one exchange of a claimed login has proved; who catches an error ends the login with it.
   * @throws IamError `invalid_token`, `user_disabled` or `identity_conflict`
   */
  async finish(loginId: string, proven: ProvenLink): Promise<LinkedIdentity> {
    const { subject, link, start } = proven;
    return inTransaction(this.dataSource, async (manager) => {
      await this.sessions.lockActing(manager, link);
      const by = { sessionId: link.sessionId, clientId: start.clientId };
      const linked = await this.users.link(manager, subject, link.userId, by);
      await markLinked(manager, loginId, proven, linked);
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

/** A login that was ended meanwhile takes the link with it; a scan links only its scanner, for the session that asked for it. */
async function markLinked(
  manager: EntityManager,
  loginId: string,
  { subject, link, start }: ProvenLink,
  { id: identityId }: LinkedIdentity,
): Promise<void> {
  const { openid, appid } = subject;
  const linked = { loginId, userId: link.userId, openid, identityId };
  const statement =
    start.method === 'follow'
      ? linkedFollowSql({ ...linked, sessionId: link.sessionId, appid })
      : linkedSql(linked);
  const row = await queryRow(manager, idRow, statement);
  if (row === null) throw new IamError('login_interrupted', 'the attempt was ended meanwhile');
}
