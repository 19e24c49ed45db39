import { z } from 'zod';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { inTransaction, queryRow, raw, sql, type Sql } from '../database/sql.js';
import { recordAudit } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { isDatabaseUnavailable, isForeignKeyViolation } from '../database/database-errors.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { ApiKeys } from '../sessions/api-keys/api-keys.service.js';
import { UserSessions, type ActingSession } from '../sessions/user-sessions.service.js';
import { cancelDeletion, requestDeletion } from '../users/change-user.js';
import { lockUser } from '../users/lock-users.js';

/** How many rows of each kind an erasure removed, for the audit log. */
const erasedCounts = z.record(z.string(), z.number());

const deleteOf = (table: string, column = 'user_id') =>
  raw(`DELETE FROM iam.${table} WHERE ${column} IN (SELECT id FROM person) RETURNING 1`);
const countOf = (table: string) => raw(`(SELECT count(*) FROM ${table})::int`);

/**
 * Removes everything about a user, whose row is locked, and about users merged into them. One statement, since foreign keys
 * are checked at its end. Rows of a former identity go too, unless another user has it now. The audit log has its own
 * retention.
 */
const eraseSql = (userId: string): Sql => sql`
  WITH person AS (
    SELECT id FROM iam.users WHERE id = ${userId} OR merged_into = ${userId}
  ), known AS (
    SELECT i.appid, i.openid FROM iam.identities i JOIN person ON i.user_id = person.id
    UNION
    SELECT s.appid, s.openid FROM iam.sessions s JOIN person ON s.user_id = person.id
    WHERE NOT EXISTS (SELECT 1 FROM iam.identities i WHERE i.appid = s.appid AND i.openid = s.openid
                      AND i.user_id NOT IN (SELECT id FROM person))
  ), events AS (
    DELETE FROM iam.webhook_events WHERE openid IN (SELECT openid FROM known) RETURNING 1
  ), open_logins AS (
    DELETE FROM iam.logins l USING known
    WHERE (l.user_id IS NULL OR l.link_session_id IS NOT NULL) AND l.openid IS NOT NULL
      AND l.openid = known.openid AND l.appid = known.appid
      AND (l.user_id IS NULL OR l.user_id NOT IN (SELECT id FROM person))
    RETURNING 1
  ), api_keys AS (${deleteOf('api_keys')}), sessions AS (${deleteOf('sessions')}), browsers AS (${deleteOf('browser_sessions')}), own_logins AS (${deleteOf('logins')}), roles AS (${deleteOf('user_roles')}),
  consents AS (${deleteOf('consents')}),
  unions AS (${deleteOf('unions')}), identities AS (${deleteOf('identities')}), users AS (${deleteOf('users', 'id')})
  SELECT ${countOf('identities')} AS identities, ${countOf('unions')} AS unions, ${countOf('sessions')} AS sessions,
         ${countOf('browsers')} AS "browserSessions", ${countOf('api_keys')} AS "apiKeys",
         ${countOf('own_logins')} + ${countOf('open_logins')} AS logins, ${countOf('roles')} AS roles, ${countOf('consents')} AS consents,
         ${countOf('events')} AS events, ${countOf('users')} - 1 AS merged`;

/** How long each replica waits before it tries a failed erasure again. */
const RETRY_MS = 10 * 60_000;

const dueSql = (left: readonly string[]): Sql => sql`
  SELECT id FROM iam.users
  WHERE deletion_at <= now() AND status <> 'merged' AND id <> ALL (${left}::uuid[])
  ORDER BY deletion_at LIMIT 1 FOR UPDATE SKIP LOCKED`;

const idRow = z.object({ id: z.string() });

/** Erases everything about users except the audit log, which the law requires and which has its own retention. */
@Injectable()
export class Erasure {
  private readonly logger = new IamLogger(Erasure.name);
  /** Users whose erasure failed here, and when it is tried again. */
  private readonly postponed = new Map<string, number>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly hooks: HookRunner,
    private readonly clock: Clock,
  ) {}

  /**
   * Erases a user in one transaction with the host's `onErase`. A later sign-in with the same WeChat makes a new user; that
   * of a banned user is refused until the ban is lifted.
   * @throws IamError `not_found`, also for a user who was merged into another; `in_use` when a row of the host still
   * refers to the user; and the error of the hook
   */
  async erase(userId: string): Promise<void> {
    if (!isUuid(userId)) throw new IamError('not_found', 'not the id of a user');
    await inTransaction(this.dataSource, (manager) => this.eraseIn(manager, userId));
  }

  /**
   * Erases one user whose day has come; false: there is none. Simultaneous replicas find different users. A user whose
   * erasure fails is skipped for a while, so that it does not hold up the others.
   */
  async eraseNextDue(): Promise<boolean> {
    const now = this.clock.elapsed();
    for (const [id, until] of this.postponed) if (until <= now) this.postponed.delete(id);
    let due: string | undefined;
    try {
      return await inTransaction(this.dataSource, async (manager) => {
        due = (await queryRow(manager, idRow, dueSql([...this.postponed.keys()])))?.id;
        if (due !== undefined) await this.eraseIn(manager, due);
        return due !== undefined;
      });
    } catch (error) {
      if (due === undefined || isDatabaseUnavailable(error)) throw error;
      this.postponed.set(due, now + RETRY_MS);
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      this.logger.error(
        `user ${due} could not be erased: ${String(error)}`,
        cause instanceof Error ? cause.stack : undefined,
      );
      return true;
    }
  }

  /** As `erase`, in a transaction of the caller. Merges, sign-ins and links of the user wait for the lock, then find no user. */
  async eraseIn(manager: EntityManager, userId: string): Promise<void> {
    const user = await lockUser(manager, userId);
    await inLongJob(() => this.hooks.onErase(userId, manager));
    const counts = await inLongJob(() =>
      queryRow(manager, erasedCounts, eraseSql(userId)).catch(explainReference),
    );
    const detail = {
      ...counts,
      wishedFor: user.deletion_at?.toISOString() ?? null,
      ...(user.status === 'disabled' && { staysBarred: true }),
    };
    await recordAudit(manager, { action: 'user.erased', userId, detail });
  }
}

function explainReference(cause: unknown): never {
  if (isForeignKeyViolation(cause))
    throw new IamError('in_use', 'a table of the host refers to this user: remove its rows in onErase', {
      cause,
    });
  throw cause;
}

/** A person's request to be erased, which they may cancel until the option `deletionGraceDays` is over. */
@Injectable()
export class AccountDeletion {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly sessions: UserSessions,
    private readonly apiKeys: ApiKeys,
    private readonly erasure: Erasure,
  ) {}

  /** Ends every other session and all API keys. The day of the erasure; null: without a grace the user is erased already. */
  async request(acting: ActingSession): Promise<Date | null> {
    const { userId, sessionId } = acting;
    const { deletionGraceDays: graceDays } = this.options;
    return this.sessions.act(acting, async (manager) => {
      const day = await requestDeletion(manager, userId, { graceDays, sessionId });
      await this.sessions.endOthers(manager, acting, 'deletion_requested');
      await this.apiKeys.endOf(manager, { userId }, { reason: 'deletion_requested', sessionId });
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
