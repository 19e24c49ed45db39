import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { inTransaction, queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { rowId, rowTime } from '../database/list.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { lockExisting } from '../users/lock-users.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { describeAgent, type Language } from '../http/user-agent.js';
import { SessionCheck } from './session-check.service.js';
import { endBrowsersCtes, endSessionsSql, isLiveSql } from './session-statements.js';
import { Sessions } from './sessions.service.js';

/** A user, and the session in which they act. */
export interface ActingSession {
  readonly userId: string;
  readonly sessionId: string;
}

/** Why a person's own request ends a session. */
const ENDED_BY_USER = 'ended_by_user';

/** More than a person reads; the acting session is always among them. */
const MOST_LISTED = 200;

/** A live session as its user sees it. */
export const userSession = z.object({
  id: rowId,
  current: z.boolean().describe('The session of this request'),
  client_id: z.string(),
  provider: z.string(),
  method: z.string().describe('How it began: `open`, `mp`, `follow`, `page`, `mini`, `mobile` or `device`'),
  device: z.string().describe('Browser and system, by the User-Agent’s own claim'),
  ip: z.string().nullable(),
  created_at: rowTime,
  last_used_at: rowTime,
  expires_at: rowTime.describe('Unless it is refreshed before'),
});
const listed = userSession.extend({ device: z.string().nullable() });

const listSql = ({ userId, sessionId }: ActingSession): Sql => sql`
  SELECT s.id, s.id = ${sessionId} AS current, s.client_id, s.provider, s.method, s.user_agent AS device, s.ip, s.created_at,
         COALESCE(s.rotated_at, s.created_at) AS last_used_at, LEAST(s.idle_expires_at, s.expires_at) AS expires_at
  FROM iam.sessions s WHERE s.user_id = ${userId} AND ${isLiveSql}
  ORDER BY current DESC, last_used_at DESC LIMIT ${MOST_LISTED}`;

/**
 * A session that is over ends no other one. With a session its browser's ends, and all that was born from that: the browser would come
 * in again without WeChat.
 */
const endSql = (id: string, { userId, sessionId }: ActingSession, entry: AuditEntry): Sql => sql`
  WITH acting AS (
    SELECT s.id FROM (SELECT id FROM iam.users WHERE id = ${userId} FOR NO KEY UPDATE) u
    JOIN iam.sessions s ON s.user_id = u.id AND s.id = ${sessionId} AND (s.id = ${id} OR ${isLiveSql}) FOR SHARE OF s
  ), ended AS (
    ${endSessionsSql(sql`s.id = ${id} AND s.user_id = ${userId} AND EXISTS (SELECT 1 FROM acting)`, ENDED_BY_USER)}
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id`, sessionId: sql`ended.id` })}
  ), ${endBrowsersCtes(sql`b.id = (SELECT browser_session_id FROM ended)`, ENDED_BY_USER)}
  SELECT EXISTS (SELECT 1 FROM acting) AS may_act,
         EXISTS (SELECT 1 FROM iam.sessions WHERE id = ${id} AND user_id = ${userId}) AS is_own`;

const endVerdict = z.object({ may_act: z.boolean(), is_own: z.boolean() });

/** A statement of its own: it must see what was committed during the wait for the lock. */
const liveSql = ({ userId, sessionId }: ActingSession): Sql => sql`
  SELECT s.appid, s.openid, s.method FROM iam.sessions s WHERE s.id = ${sessionId} AND s.user_id = ${userId} AND ${isLiveSql}`;

const subject = z.object({ appid: z.string(), openid: z.string() });
const liveSession = z.object({ method: z.string() });

/** A user's own sessions: how they see and end them, and change their account in one that is live. */
@Injectable()
export class UserSessions {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly check: SessionCheck,
    private readonly sessions: Sessions,
  ) {}

  /** The live sessions of a user, the acting one first. */
  async list(acting: ActingSession, language: Language): Promise<z.infer<typeof userSession>[]> {
    const rows = await queryRows(this.dataSource, listed, listSql(acting));
    return rows.map((row) => ({ ...row, device: describeAgent(row.device, language) }));
  }

  /** The app by which the session began, and the user's openid there. @throws IamError `invalid_token` when it is over */
  async getSubject(acting: ActingSession): Promise<z.infer<typeof subject>> {
    const row = await queryRow(this.dataSource, subject, liveSql(acting));
    if (row === null) throw new IamError('invalid_token', `session ${acting.sessionId} is over`);
    return row;
  }

  /**
   * Ends a session of the user, if it has not ended.
   * @throws IamError `invalid_token` when the acting session is over, `not_found` for a session of another user
   */
  async end(id: string, acting: ActingSession): Promise<void> {
    if (!isUuid(id)) throw new IamError('not_found', 'not the id of a session');
    const audited: AuditEntry = { action: 'session.ended', detail: { reason: ENDED_BY_USER } };
    const verdict = await queryRow(this.dataSource, endVerdict, endSql(id, acting, audited));
    if (verdict?.may_act !== true) throw new IamError('invalid_token', `session ${acting.sessionId} is over`);
    if (!verdict.is_own) throw new IamError('not_found', 'no session of this user');
    this.check.forget(id);
  }

  /** Ends every other session of the user; returns how many of them were live. */
  endOthers(manager: EntityManager, { userId, sessionId }: ActingSession, reason: string): Promise<number> {
    const others = sql`s.user_id = ${userId} AND s.id <> ${sessionId}`;
    const browsers = sql`b.user_id = ${userId} AND NOT EXISTS (
      SELECT FROM iam.sessions s WHERE s.id = ${sessionId} AND s.browser_session_id = b.id)`;
    return this.sessions.endWhere(manager, others, { reason, browsers, sessionId });
  }

  /**
   * Runs a change of an account in a transaction that has locked it. An access token outlives its session by minutes: it may
   * still read, but changes nothing. `change` learns by which method the session began.
   * @throws IamError `invalid_token` when the session is over, `user_disabled`
   */
  async act<T>(
    acting: ActingSession,
    change: (manager: EntityManager, method: string) => Promise<T>,
  ): Promise<T> {
    return inTransaction(this.dataSource, async (manager) => {
      const { method } = await lockActing(manager, acting);
      return change(manager, method);
    });
  }
}

/** The signed-in user of a request, with the session. */
export function actingSession({ id, sessionId }: AuthenticatedPerson): ActingSession {
  return { userId: id, sessionId };
}

async function lockActing(
  manager: EntityManager,
  acting: ActingSession,
): Promise<z.infer<typeof liveSession>> {
  const { userId, sessionId } = acting;
  const [user] = await lockExisting(manager, [userId]);
  if (user?.status === 'disabled') throw new IamError('user_disabled', `user ${userId} is disabled`);
  const live = await queryRow(manager, liveSession, liveSql(acting));
  if (user?.status !== 'active' || live === null)
    throw new IamError('invalid_token', `session ${sessionId} is over`);
  return live;
}
