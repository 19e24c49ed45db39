import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit } from '../audit/record-audit.js';
import { plainText } from '../database/database-errors.js';
import { defineList, equal, filter, rowId, rowTime } from '../database/list.js';
import { hasRow, queryRow, sql, type Sql, type SqlExecutor } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { SessionCheck } from './session-check.service.js';
import { endBrowsersCtes, endSessionsSql, isLiveSql } from './session-statements.js';

const row = z.object({
  id: rowId,
  user_id: rowId,
  nickname: z.string().nullable(),
  client_id: z.string(),
  provider: z.string(),
  method: z.string(),
  appid: z.string(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  live: z.boolean(),
  created_at: rowTime,
  last_used_at: rowTime,
  idle_expires_at: rowTime,
  expires_at: rowTime,
  ended_at: rowTime.nullable(),
  end_reason: z.string().nullable(),
});

const columns = sql`
  s.id, s.user_id, (SELECT u.nickname FROM iam.users u WHERE u.id = s.user_id) AS nickname, s.client_id, s.provider, s.method, s.appid, s.ip, s.user_agent, ${isLiveSql} AS live, s.created_at,
  COALESCE(s.rotated_at, s.created_at) AS last_used_at, s.idle_expires_at, s.expires_at, s.ended_at, s.end_reason`;

/** Sessions as administrators look for them. */
export const sessionList = defineList(
  { row, columns, from: sql`iam.sessions s`, key: 's.id' },
  {
    user: equal('s.user_id', z.uuid().describe('Id of a user')),
    client: equal('s.client_id', plainText(256).describe('client_id of a front-end')),
    provider: equal('s.provider', plainText(64).describe('Slug of an identity provider')),
    method: equal('s.method', plainText(16).describe('open, mp, follow, device, mini or mobile')),
    live: filter(
      z.stringbool().describe('true: can still be refreshed; false: is over'),
      (live) => sql`${isLiveSql} = ${live}::boolean`,
    ),
  },
);

const countRow = z.object({ live: z.number() });
const ownerRow = z.object({ user_id: z.string() });

/** How many live sessions a user has. */
export async function countLiveSessions(executor: SqlExecutor, userId: string): Promise<number> {
  const count = sql`SELECT count(*)::int AS live FROM iam.sessions s WHERE s.user_id = ${userId} AND ${isLiveSql}`;
  return (await queryRow(executor, countRow, count))?.live ?? 0;
}

/**
 * The audit entry is written only when the session had not ended before. The session of its browser ends with it: by that the person
 * would come in again.
 */
const endSql = (id: string, reason: string): Sql => sql`
  WITH owner AS (
    SELECT u.id FROM iam.sessions s JOIN iam.users u ON u.id = s.user_id WHERE s.id = ${id} FOR NO KEY UPDATE OF u
  ), ended AS (
    ${endSessionsSql(sql`s.id = ${id} AND s.user_id = (SELECT id FROM owner)`, reason)}
  ), ${endBrowsersCtes(sql`b.id = (SELECT browser_session_id FROM ended)`, reason)}, audited AS (
    ${insertAudit(
      { action: 'session.ended', detail: { reason } },
      { from: sql`ended`, userId: sql`ended.user_id`, sessionId: sql`ended.id` },
    )}
  )
  SELECT 1 FROM iam.sessions WHERE id = ${id}`;

/** The end of any session, for administrators. */
@Injectable()
export class SessionRevocation {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly check: SessionCheck,
  ) {}

  /** The user of a session; null: no such session. */
  async findOwner(id: string): Promise<string | null> {
    const owner = sql`SELECT user_id FROM iam.sessions WHERE id = ${id}`;
    return isUuid(id) ? ((await queryRow(this.dataSource, ownerRow, owner))?.user_id ?? null) : null;
  }

  /** Ends a session, once; false: no such session. */
  async end(id: string, reason: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const isKnown = await hasRow(this.dataSource, endSql(id, reason));
    this.check.forget(id);
    return isKnown;
  }
}
