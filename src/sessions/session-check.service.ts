import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { FreshValues } from '../runtime/single-flight.js';
import type { AccessTokenClaims } from './access-tokens.service.js';
import { liveAtClientSql, rolesOfSql } from './session-statements.js';
import { ThirdParties } from './third-parties.service.js';

/** Counted from before the read, so that every replica refuses within five seconds a session that ended meanwhile. */
const FRESH_MS = 5_000;
/** A few megabytes; beyond that, the oldest entries go. */
const MAX_SESSIONS = 10_000;

/** No row: the session is over, or its user is not active. */
const liveSessionSql = (sessionId: string): Sql => sql`
  SELECT s.user_id, ${rolesOfSql('s')} ${liveAtClientSql(sessionId)}`;

const liveSession = z.object({ user_id: z.string(), roles: z.array(z.string()) });

/** Checks in PostgreSQL the session of an access token: one read in five seconds per session and process. */
@Injectable()
export class SessionCheck {
  private readonly known: FreshValues<z.infer<typeof liveSession> | null>;

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly parties: ThirdParties,
    clock: Clock,
  ) {
    this.known = new FreshValues({
      milliseconds: FRESH_MS,
      most: MAX_SESSIONS,
      elapsed: () => clock.elapsed(),
    });
  }

  /**
   * The claims of a verified token with the roles that the user has now, as far as the client may use them.
   * @throws IamError `invalid_token` when the session is over or its user not active
   */
  async confirm(claims: AccessTokenClaims): Promise<AccessTokenClaims> {
    const { sessionId } = claims;
    const session = await this.known.get(sessionId, () =>
      queryRow(this.dataSource, liveSession, liveSessionSql(sessionId)),
    );
    if (session?.user_id !== claims.userId) throw new IamError('invalid_token', 'the session is over');
    return { ...claims, roles: this.parties.rolesOf(claims, session.roles) };
  }

  /** How many sessions are in memory. */
  get size(): number {
    return this.known.size;
  }

  /** The session has changed: the next request reads it again, and a read under way is not kept. */
  forget(sessionId: string): void {
    this.known.forget(sessionId);
  }
}
