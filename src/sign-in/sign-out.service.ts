import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { queryRow } from '../database/sql.js';
import { Sessions, type IdentityEnd } from '../sessions/sessions.service.js';
import { UserIdentities, type UnlinkedIdentity } from '../users/user-identities.service.js';
import { markWithdrawn, type IdentityKey } from '../users/identity-data.js';
import { provenSinceSql } from './login-statements.js';
import { Logins } from './logins.service.js';

const proven = z.object({ is_proven: z.boolean() });

/** Ends access. Sessions and sign-ins under way end together: a code that stays is a session a second later. */
@Injectable()
export class SignOut {
  constructor(
    private readonly logins: Logins,
    private readonly sessions: Sessions,
    private readonly identities: UserIdentities,
  ) {}

  /** Ends all that is signed in as a user, whom the caller has locked, and all that is about to be. */
  async ofUser(manager: EntityManager, userId: string, reason: string): Promise<void> {
    await this.logins.endOfUser(manager, userId);
    await this.sessions.endAll(manager, userId, reason);
  }

  /**
   * Takes an identity from a user, whom the caller has locked, and what came by it. `evenLast` is an administrator's word.
   * @throws IamError `not_found` or `last_identity`
   */
  async unlink(
    manager: EntityManager,
    userId: string,
    identityId: string,
    options: { readonly evenLast?: boolean } = {},
  ): Promise<UnlinkedIdentity> {
    const gone = await this.identities.unlink(manager, userId, identityId, options);
    await this.ofIdentity(manager, gone, { reason: 'identity_unlinked' });
    const { provider, ...detail } = gone;
    await recordAudit(manager, { action: 'identity.unlinked', userId, provider, detail });
    return gone;
  }

  /**
   * The caller has locked the user. With `provenBefore`, what WeChat proved since goes on, and a sign-in whose code is being
   * exchanged meanwhile begins no session either.
   */
  async ofIdentity(manager: EntityManager, identity: IdentityKey, end: IdentityEnd): Promise<void> {
    if (end.provenBefore != null) await markWithdrawn(manager, identity, end.provenBefore);
    await this.logins.endOfIdentity(manager, identity, end.provenBefore);
    await this.sessions.endOfIdentity(manager, identity, end);
  }

  /** Whether WeChat has proved the identity after an event of this time. */
  async isProvenSince(manager: EntityManager, identity: IdentityKey, at: Date): Promise<boolean> {
    return (await queryRow(manager, proven, provenSinceSql(identity, at)))?.is_proven === true;
  }
}
