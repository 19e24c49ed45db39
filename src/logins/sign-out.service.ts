import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { queryRow } from '../database/query-rows.js';
import { Sessions, type IdentityEnd } from '../sessions/sessions.service.js';
import { markWithdrawn, type IdentityKey } from '../users/withdraw-data.js';
import { provenSinceSql } from './login-statements.js';
import { Logins } from './logins.service.js';

const proven = z.object({ is_proven: z.boolean() });

/** Ends what came by an identity. Sessions and sign-ins under way end together: a code that stays is a session a second later. */
@Injectable()
export class SignOut {
  constructor(
    private readonly logins: Logins,
    private readonly sessions: Sessions,
  ) {}

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
