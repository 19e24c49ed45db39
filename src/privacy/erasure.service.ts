import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { Clock } from '../runtime/clock.js';
import { isDatabaseUnavailable, isForeignKeyViolation } from '../database/database-errors.js';
import { inTransaction, queryRow, sql, type Sql } from '../database/sql.js';
import { inLongJob } from '../database/bounded-data-source.js';
import { HookRunner } from '../database/hook-runner.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { lockUser } from '../users/lock-users.js';
import { erasedCounts, eraseSql } from './erasure-statement.js';

/** How long a failed erasure is left before it is tried again, by each replica. */
const RETRY_MS = 10 * 60_000;

const dueSql = (left: readonly string[]): Sql => sql`
  SELECT id FROM iam.users
  WHERE deletion_at <= now() AND status <> 'merged' AND id <> ALL (${left}::uuid[])
  ORDER BY deletion_at LIMIT 1 FOR UPDATE SKIP LOCKED`;

const idRow = z.object({ id: z.string() });

/** Forgets people: all that is held about them, but for the audit log, which the law asks for and which has its own retention. */
@Injectable()
export class Erasure {
  private readonly logger = new IamLogger(Erasure.name);
  /** Users whose erasure failed here, and until when they are left. */
  private readonly postponed = new Map<string, number>();

  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly hooks: HookRunner,
    private readonly clock: Clock,
  ) {}

  /**
   * Erases a user for good, in one transaction with the host's `onErase`. A later sign-in with the same WeChat makes
   * somebody new; that of a banned user is refused until the ban is lifted.
   * @throws IamError `not_found`, also for a user who was merged into another; `in_use` when a row of the host still
   * refers to the user; and whatever the hook threw
   */
  async erase(userId: string): Promise<void> {
    if (!isUuid(userId)) throw new IamError('not_found', 'not the id of a user');
    await inTransaction(this.dataSource, (manager) => this.eraseIn(manager, userId));
  }

  /**
   * Erases one user whose day has come; false when there is nobody. Replicas that look at once find different users, and
   * one whose erasure fails is left for a while, so that the others have their turn.
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

  /** As `erase`, within a transaction of the caller. The lock makes merges, sign-ins and links of the user wait, then miss them. */
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
