import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { SingleFlight } from '../runtime/single-flight.js';
import type { AccessTokenClaims } from './access-tokens.service.js';
import { isLiveSql, rolesOfSql } from './session-statements.js';

/** Counted from before the read, so that every replica refuses within five seconds a session that ended meanwhile. */
const FRESH_MS = 5_000;
/** A few megabytes; beyond that, the oldest entries go. */
const MAX_SESSIONS = 10_000;

/** No row: the session is over, or its user is not active. */
const liveSessionSql = (sessionId: string): Sql => sql`
  SELECT s.user_id, ${rolesOfSql('s')}
  FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id
  WHERE s.id = ${sessionId} AND ${isLiveSql} AND u.status = 'active'`;

const liveSession = z.object({ user_id: z.string(), roles: z.array(z.string()) });
type LiveSession = z.infer<typeof liveSession>;

interface Known {
  readonly readAt: number;
  /** Null: unknown, ended, expired, or of a user who is not active. */
  readonly session: LiveSession | null;
}

/** Checks in PostgreSQL the session of an access token: one read in five seconds per session and process. */
@Injectable()
export class SessionCheck {
  /** Oldest read first. */
  private readonly known = new Map<string, Known>();
  private readonly reads = new SingleFlight<LiveSession | null>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /**
   * The claims of a verified token with the roles that the user has now.
   * @throws IamError `invalid_token` when the session is over or its user not active
   */
  async confirm(claims: AccessTokenClaims): Promise<AccessTokenClaims> {
    const session = await this.find(claims.sessionId);
    if (session?.user_id !== claims.userId) throw new IamError('invalid_token', 'the session is over');
    return { ...claims, roles: session.roles };
  }

  /** How many sessions are in memory. */
  get size(): number {
    return this.known.size;
  }

  /** The session has changed: the next request reads it again, and a read under way is not kept. */
  forget(sessionId: string): void {
    this.known.delete(sessionId);
    this.reads.forget(sessionId);
  }

  private find(sessionId: string): Promise<LiveSession | null> {
    const known = this.known.get(sessionId);
    if (known !== undefined && this.isFresh(known)) return Promise.resolve(known.session);
    const readAt = this.clock.elapsed();
    return this.reads.run(sessionId, async (isCurrent) => {
      const session = await queryRow(this.dataSource, liveSession, liveSessionSql(sessionId));
      if (isCurrent()) this.keep(sessionId, { readAt, session });
      return session;
    });
  }

  private keep(sessionId: string, read: Known): void {
    this.known.delete(sessionId);
    this.known.set(sessionId, read);
    for (const [oldest, each] of this.known) {
      if (this.known.size <= MAX_SESSIONS && this.isFresh(each)) return;
      this.known.delete(oldest);
    }
  }

  private isFresh({ readAt }: Known): boolean {
    return this.clock.elapsed() - readAt < FRESH_MS;
  }
}
