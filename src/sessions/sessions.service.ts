import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { z } from 'zod';
import { constantTimeEqual } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { insertAudit, recordAudit, type AuditEntry } from '../audit/record-audit.js';
import { afterTransaction, execute, queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import { eventHorizonSql } from '../database/sql-fragments.js';
import { IamError } from '../errors/iam.error.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { IdentityKey } from '../users/identity-data.js';
import { OnUserMerge, type UserMergeListener } from '../users/user-merges.service.js';
import type { TokenSubject } from './access-tokens.service.js';
import { SessionCheck } from './session-check.service.js';
import {
  type Admission,
  endBrowsersCtes,
  endSessionsSql,
  rotateSql,
  sessionProvenAtSql,
  settleReuseSql,
  type TokenBounds,
  tokenRow,
  toTokenSubject,
  type RefreshToken,
  unrotateSql,
} from './session-statements.js';

const form = /^([0-9a-f]{8})\.([0-9a-f-]{36})\.(\d{1,9})\.([\w-]{43})$/;

/**
 * The token is a MAC over session and generation: no database dump has it, and a lost response can be repeated, since the
 * successor of a token is always the same.
 */
function mintRefreshToken(mac: Mac, token: RefreshToken): string {
  return `${mac.keyId}.${message(token)}.${mac.sign(message(token))}`;
}

/** The token's content, or null when it was not issued by us. */
function readRefreshToken(mac: Mac, text: string): RefreshToken | null {
  const [, keyId, sessionId, generation, tag] = form.exec(text) ?? [];
  if (keyId === undefined || sessionId === undefined || generation === undefined || tag === undefined)
    return null;
  const token = { sessionId, generation: Number(generation) };
  const expected = mac.signWith(keyId, message(token));
  return expected !== null && constantTimeEqual(expected, tag) ? token : null;
}

function message({ sessionId, generation }: RefreshToken): string {
  return `${sessionId}.${generation}`;
}

/** A session just after its refresh token rotated. */
export interface RefreshedSession extends TokenSubject {
  readonly refreshToken: string;
}

/** Which client brings a token. */
export interface TokenCaller {
  readonly clientId: string;
  /** The clients whose sessions it may refresh or end: itself, or with cookies all that share the browser's session. */
  readonly sessionsOf: readonly string[];
  /** Which of them it may refresh; undefined: all. */
  readonly admission?: Admission | undefined;
}

/** Why sessions and sign-ins of an identity end; with a time, only those that WeChat proved before it. */
export interface IdentityEnd {
  readonly reason: string;
  readonly provenBefore?: Date | null;
}

/** An end of several sessions. */
interface SessionsEnd {
  readonly reason: string;
  /** A condition on browser sessions `b`. */
  readonly browsers: Sql;
  /** The session in which somebody asked for it. */
  readonly sessionId?: string | null;
}

/** A session that lives, and began by a provider that the client which brings it does not admit. */
export class SessionNotAdmitted extends IamError {
  constructor(sessionId: string) {
    super('invalid_grant', `session ${sessionId} began by a provider that the application does not admit`);
  }
}

/** More uses of one parent token are an abuse of the grace. */
const GRACE_USES = 100;

const settled = tokenRow.extend({
  generation: z.number(),
  verdict: z.enum([
    'grace',
    'reuse',
    'over',
    'replaced',
    'live',
    'unadmitted',
    'invalid_scope',
    'invalid_target',
  ]),
});

const endedRow = z.object({ id: z.string(), user_id: z.string(), was_live: z.boolean() });

const ownRow = z.object({ is_own: z.boolean() });

/** `is_own`: the session belongs to one of these clients. */
const endSql = (sessionId: string, clients: readonly string[], reason: string, entry: AuditEntry): Sql => sql`
  WITH ended AS (
    ${endSessionsSql(sql`s.id = ${sessionId} AND s.client_id = ANY(${clients}::text[])`, reason)}
  ), audited AS (
    ${insertAudit(entry, { from: sql`ended`, userId: sql`ended.user_id` })}
  )
  SELECT client_id = ANY(${clients}::text[]) AS is_own FROM iam.sessions WHERE id = ${sessionId}`;

/** Sessions: one row each, whose refresh token rotates in place (RFC 9700 §4.14.2). */
@Injectable()
@OnUserMerge(3)
export class Sessions implements UserMergeListener {
  private readonly mac: Mac;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly check: SessionCheck,
    private readonly telemetry: Telemetry,
  ) {
    this.mac = new Mac(options.keyRing, 'refresh-token');
  }

  /** The refresh token of a session after so many rotations. */
  refreshTokenOf(token: RefreshToken): string {
    return mintRefreshToken(this.mac, token);
  }

  /**
   * Rotates a refresh token: one round trip, or two when it is not the live one.
   * @throws IamError `invalid_grant`; a spent token outside the grace also ends the session. `invalid_scope` or `invalid_target` for
   * more than the session has, which spends no token
   */
  async refresh(text: string, caller: TokenCaller, bounds: TokenBounds): Promise<RefreshedSession> {
    const token = readRefreshToken(this.mac, text);
    if (token === null) throw new IamError('invalid_grant', 'not a refresh token of ours');
    return this.rotate(token, caller, bounds);
  }

  /** Of a refresh that fails after all: its token was not spent. */
  async unrotate(successor: string): Promise<void> {
    const token = readRefreshToken(this.mac, successor);
    if (token !== null) await execute(this.dataSource, unrotateSql(token, GRACE_USES));
  }

  private async rotate(
    token: RefreshToken,
    caller: TokenCaller,
    bounds: TokenBounds,
  ): Promise<RefreshedSession> {
    const rotation = rotateSql(token, caller, { idle: this.options.tokens.idle, bounds });
    const row = await queryRow(this.dataSource, tokenRow, rotation);
    if (row === null) return this.settleReuse(token, { ...caller, bounds });
    this.telemetry.refreshed('rotated');
    return this.successor(token, row, bounds);
  }

  /** The content of a refresh token, also of a used one; null if we did not issue it. */
  readRefreshToken(text: string): RefreshToken | null {
    return readRefreshToken(this.mac, text);
  }

  /** As `readRefreshToken`, the session alone. */
  findSessionId(text: string): string | null {
    return this.readRefreshToken(text)?.sessionId ?? null;
  }

  /**
   * Ends a session because its client revokes it or the browser has a new one. A session that has ended, or never existed, is
   * no error (RFC 7009 §2.2). False: it belongs to another client, and continues.
   */
  async end(sessionId: string, reason: 'revoked' | 'replaced', caller: TokenCaller): Promise<boolean> {
    const { clientId, sessionsOf } = caller;
    const entry = { action: `session.${reason}`, sessionId, clientId } as const;
    const end = endSql(sessionId, sessionsOf, reason, entry);
    const row = await queryRow(this.dataSource, ownRow, end);
    this.check.forget(sessionId);
    return row?.is_own !== false;
  }

  /** Notes that another statement has ended these. */
  noteEnded(sessionIds: readonly string[]): void {
    for (const id of sessionIds) this.check.forget(id);
  }

  /** Ends every session of a user. */
  async endAll(manager: EntityManager, userId: string, reason: string): Promise<void> {
    await this.endWhere(manager, sql`s.user_id = ${userId}`, {
      reason,
      browsers: sql`b.user_id = ${userId}`,
    });
  }

  /** Ends the sessions that began by an identity. See `SignOut`. */
  async endOfIdentity(
    manager: EntityManager,
    { appid, openid }: IdentityKey,
    { reason, provenBefore = null }: IdentityEnd,
  ): Promise<void> {
    const condition = sql`s.appid = ${appid} AND s.openid = ${openid} AND (
      ${provenBefore}::timestamptz IS NULL OR ${sessionProvenAtSql('s')} < ${eventHorizonSql(provenBefore)})`;
    const browsers = sql`b.appid = ${appid} AND b.openid = ${openid} AND (
      ${provenBefore}::timestamptz IS NULL OR b.auth_time < ${eventHorizonSql(provenBefore)})`;
    await this.endWhere(manager, condition, { reason, browsers });
  }

  /**
   * Ends the sessions `s` of a condition, and the browser sessions `b` of another one, by which people would come in again; the audit
   * log names them. The caller has locked the user. Returns how many sessions of the condition were live.
   */
  async endWhere(
    manager: EntityManager,
    condition: Sql,
    { reason, browsers, sessionId = null }: SessionsEnd,
  ): Promise<number> {
    const end = sql`
      WITH ended AS (${endSessionsSql(condition, reason)}), ${endBrowsersCtes(browsers, reason)}
      SELECT * FROM ended ORDER BY id`;
    const ended = await queryRows(manager, endedRow, end);
    afterTransaction(manager, () => this.noteEnded(ended.map(({ id }) => id)));
    for (const userId of new Set(ended.map(({ user_id }) => user_id))) {
      const sessions = ended.filter(({ user_id }) => user_id === userId).map(({ id }) => id);
      await recordAudit(manager, {
        action: 'session.ended',
        userId,
        sessionId,
        detail: { reason, sessions },
      });
    }
    return ended.filter(({ was_live }) => was_live).length;
  }

  /** A merge ends the sessions of the user that goes. */
  async onMerge(fromUserId: string, _toUserId: string, manager: EntityManager): Promise<void> {
    await this.endAll(manager, fromUserId, 'merged');
  }

  private async settleReuse(
    token: RefreshToken,
    caller: TokenCaller & { readonly bounds: TokenBounds },
  ): Promise<RefreshedSession> {
    const { clientId } = caller;
    const { sessionId, generation } = token;
    const grace = { seconds: this.options.tokens.refreshGrace, uses: GRACE_USES };
    const entry = {
      action: 'session.refresh_reused',
      sessionId,
      clientId,
      detail: { generation },
    } as const;
    const row = await queryRow(this.dataSource, settled, settleReuseSql(token, caller, grace, entry));
    // Another request with this token has failed, and taken its rotation back.
    if (row?.verdict === 'live') return this.rotate(token, caller, caller.bounds);
    const outcomes: Partial<Record<string, 'repeated' | 'reused'>> = { grace: 'repeated', reuse: 'reused' };
    this.telemetry.refreshed(outcomes[row?.verdict ?? 'over'] ?? 'refused');
    if (row?.verdict === 'grace') return this.successor(token, row, caller.bounds);
    if (row?.verdict === 'unadmitted') throw new SessionNotAdmitted(sessionId);
    if (row?.verdict === 'invalid_scope' || row?.verdict === 'invalid_target')
      throw new IamError(row.verdict, `more than session ${sessionId} has, or nothing of it`);
    this.check.forget(sessionId);
    if (row?.verdict === 'replaced')
      throw new IamError('session_replaced', `a later sign-in has ended session ${sessionId}`);
    throw new IamError(
      'invalid_grant',
      row?.verdict === 'reuse' ? 'refresh token reused: session ended' : 'the session is over',
    );
  }

  private successor(
    token: RefreshToken,
    row: z.infer<typeof tokenRow>,
    { scope }: TokenBounds,
  ): RefreshedSession {
    const { sessionId, generation } = token;
    const refreshToken = mintRefreshToken(this.mac, { sessionId, generation: generation + 1 });
    return { ...toTokenSubject(row), ...(scope !== undefined && { scope }), sessionId, refreshToken };
  }
}
