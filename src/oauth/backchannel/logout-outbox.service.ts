import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { plainText } from '../../database/database-errors.js';
import { defineList, equal, rowId, rowTime } from '../../database/list.js';
import { execute, hasRow, queryRow, queryRows, raw, sql, type SqlExecutor } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';

/** With the pauses between them, four hours. */
const MOST_ATTEMPTS = 10;

/** Of one application at a time, so that a slow one does not hold up the others. */
const MOST_OF_A_CLIENT = 3;

/** Longer than an attempt takes: a replica that ends in the middle of one keeps it no longer. */
const LEASE_SECONDS = 30;

/** A logout token that this replica sends now. */
const leasedLogout = z.object({
  id: z.string(),
  client_id: z.string(),
  session_id: z.string(),
  user_id: z.string(),
  lease_token: z.string(),
});

/** See `leasedLogout`. */
export type LeasedLogout = z.infer<typeof leasedLogout>;

const status = z.enum(['pending', 'dead']);
const failedRow = z.object({ status });

const row = z.object({
  id: rowId,
  client_id: z.string(),
  user_id: rowId,
  session_id: rowId,
  status,
  attempts: z.int(),
  last_error: z.string().nullable(),
  next_attempt_at: rowTime.nullable(),
  created_at: rowTime,
});

const columns = sql`
  l.id, l.client_id, l.user_id, l.session_id, l.status, l.attempts, l.last_error, l.created_at,
  CASE WHEN l.status = 'pending' THEN l.due_at END AS next_attempt_at`;

/** The outbox as administrators search it. */
export const logoutList = defineList(
  { row, columns, from: sql`iam.backchannel_logouts l`, key: 'l.id' },
  {
    status: equal('l.status', status.describe('dead: given up after the last attempt')),
    client: equal('l.client_id', plainText(128).describe('client_id of an application')),
  },
);

/** The application of a row `l` still has an address. */
const isWanted = sql`EXISTS (
  SELECT FROM iam.clients c WHERE c.id = l.client_id AND c.backchannel_logout_uri IS NOT NULL)`;

/** Removes what waits for an application that was deleted or has cleared its address: its process may ask no more. */
export async function dropUnwantedLogouts(executor: SqlExecutor, clientId: string): Promise<void> {
  const drop = sql`DELETE FROM iam.backchannel_logouts l WHERE client_id = ${clientId} AND NOT ${isWanted}`;
  await execute(executor, drop);
}

/** Logout tokens from the end of a session to their delivery: each in one row, each row with one holder at a time. */
@Injectable()
export class LogoutOutbox {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Up to `most` that are due, leased to the caller. Applications take turns, however long one of them has not answered. */
  takeDue(most: number): Promise<LeasedLogout[]> {
    const take = sql`
      /* background */ WITH RECURSIVE clients AS (
        (SELECT client_id FROM iam.backchannel_logouts WHERE status = 'pending' ORDER BY client_id LIMIT 1)
        UNION ALL
        SELECT (SELECT n.client_id FROM iam.backchannel_logouts n
                WHERE n.status = 'pending' AND n.client_id > clients.client_id ORDER BY n.client_id LIMIT 1)
        FROM clients WHERE clients.client_id IS NOT NULL
      ), turns AS (
        SELECT first.* FROM clients, LATERAL (
          SELECT id, row_number() OVER (ORDER BY due_at) AS turn FROM iam.backchannel_logouts l
          WHERE l.client_id = clients.client_id AND status = 'pending' AND due_at <= now()
          ORDER BY due_at LIMIT ${MOST_OF_A_CLIENT}::int) first
      ), due AS (
        SELECT l.id FROM iam.backchannel_logouts l JOIN turns USING (id) WHERE l.status = 'pending' AND l.due_at <= now()
        ORDER BY turns.turn, random() LIMIT ${most} FOR UPDATE OF l SKIP LOCKED
      ), taken AS (
        UPDATE iam.backchannel_logouts l
        SET attempts = attempts + 1, lease_token = ${randomUUID()}, due_at = now() + make_interval(secs => ${LEASE_SECONDS}::int)
        FROM due WHERE l.id = due.id
        RETURNING l.id, l.client_id, l.session_id, l.user_id, l.lease_token
      ) SELECT * FROM taken`;
    return queryRows(this.dataSource, leasedLogout, take);
  }

  /** The application has taken it. */
  async remove({ id, lease_token }: LeasedLogout): Promise<void> {
    const remove = sql`DELETE FROM iam.backchannel_logouts WHERE id = ${id} AND lease_token = ${lease_token}`;
    await execute(this.dataSource, remove);
  }

  /**
   * Removes it if its application wants none any more. What this process knows of applications is some seconds old: an address that is
   * new stays, and is known when the lease has ended.
   */
  async removeUnwanted({ id, lease_token }: LeasedLogout): Promise<void> {
    const remove = sql`
      DELETE FROM iam.backchannel_logouts l WHERE id = ${id} AND lease_token = ${lease_token} AND NOT ${isWanted}`;
    await execute(this.dataSource, remove);
  }

  /** The next attempt waits 2, 8, 32, … seconds, at most an hour; true after the last one. */
  async fail({ id, lease_token }: LeasedLogout, reason: string): Promise<boolean> {
    const entry = { action: 'backchannel_logout.given_up', detail: { error: reason } } as const;
    const source = {
      from: sql`failed WHERE failed.status = 'dead'`,
      userId: sql`failed.user_id`,
      sessionId: sql`failed.session_id`,
      clientId: sql`failed.client_id`,
    };
    const fail = sql`
      WITH failed AS (
        UPDATE iam.backchannel_logouts
        SET status = CASE WHEN attempts < ${MOST_ATTEMPTS}::int THEN 'pending' ELSE 'dead' END, lease_token = NULL, last_error = ${reason},
            due_at = now() + make_interval(secs => LEAST(2 * 4 ^ (attempts - 1), 3600))
        WHERE id = ${id} AND lease_token = ${lease_token} AND status = 'pending'
        RETURNING status, user_id, session_id, client_id
      ), audited AS (${insertAudit(entry, source)})
      SELECT status FROM failed`;
    return (await queryRow(this.dataSource, failedRow, fail))?.status === 'dead';
  }

  /** Makes a dead one due again, for any replica; one that is pending is sent at once. @throws IamError `not_found` */
  async retry(id: string): Promise<void> {
    if (!isUuid(id)) throw new IamError('not_found', 'not the id of a logout token');
    const source = {
      from: sql`retried`,
      userId: sql`retried.user_id`,
      sessionId: sql`retried.session_id`,
      clientId: sql`retried.client_id`,
    };
    const retry = sql`
      WITH retried AS (
        UPDATE iam.backchannel_logouts SET status = 'pending', attempts = 0, lease_token = NULL, due_at = now() WHERE id = ${id}
        RETURNING user_id, session_id, client_id
      ), audited AS (${insertAudit({ action: 'backchannel_logout.retried' }, source)})
      SELECT 1 FROM retried`;
    if (!(await hasRow(this.dataSource, retry))) throw new IamError('not_found', 'no such logout token');
  }
}

const backlog = z.object({ oldestSeconds: z.number().nullable(), dead: z.number() });

/** How far behind the outbox is: the age of the oldest one in seconds, and the dead letters up to 1,000. One round trip. */
export async function readLogoutBacklog(executor: SqlExecutor): Promise<z.infer<typeof backlog>> {
  const read = sql`
    /* background */ SELECT
      (SELECT GREATEST(0, extract(epoch FROM now() - created_at))::float8 FROM iam.backchannel_logouts
       WHERE status = 'pending' ORDER BY id LIMIT 1) AS "oldestSeconds",
      (SELECT count(*)::int FROM (
        SELECT 1 FROM iam.backchannel_logouts WHERE status = 'dead' ORDER BY id ${raw('LIMIT 1000')}) counted) AS dead`;
  return (await queryRow(executor, backlog, read)) ?? { oldestSeconds: null, dead: 0 };
}
