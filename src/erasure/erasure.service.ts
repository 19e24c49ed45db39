import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { recordAudit } from '../audit/record-audit.js';
import { isForeignKeyViolation } from '../database/database-errors.js';
import { inTransaction } from '../database/in-transaction.js';
import { queryRow } from '../database/query-rows.js';
import { HookRunner } from '../hooks/hook-runner.js';
import { IamError } from '../iam.error.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import { erasedCounts, eraseSql } from './erasure-statement.js';

const wish = z.object({ deletion_at: z.date().nullable() });

/** Forgets people: all that is held about them, but for the audit log, which the law asks for and which has its own retention. */
@Injectable()
export class Erasure {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly hooks: HookRunner,
  ) {}

  /**
   * Erases a user for good, in one transaction with the host's `onErase`. Whoever signs in with the same WeChat later is
   * somebody new.
   * @throws IamError `not_found`, also for a user who was merged into another; `in_use` when a row of the host still
   * refers to the user; and whatever the hook threw
   */
  async erase(userId: string): Promise<void> {
    if (!isUuid(userId)) throw new IamError('not_found', 'not the id of a user');
    await inTransaction(this.dataSource, (manager) => this.eraseIn(manager, userId));
  }

  /** As `erase`, within a transaction of the caller. The lock makes merges, sign-ins and links of the user wait, then miss them. */
  async eraseIn(manager: EntityManager, userId: string): Promise<void> {
    const row = await queryRow(
      manager,
      wish,
      `SELECT deletion_at FROM iam.users WHERE id = $1 AND status <> 'merged' FOR UPDATE`,
      [userId],
    );
    if (row === null) throw new IamError('not_found', `no user ${userId}`);
    await this.hooks.onErase(userId, manager);
    const counts = await queryRow(manager, erasedCounts, eraseSql, [userId]).catch(explainReference);
    const detail = { ...counts, wishedFor: row.deletion_at?.toISOString() ?? null };
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
