import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { type AuditEntry, insertAudit, refusalCtes, recordRefusal } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { sha256 } from '../crypto/hash.js';
import { Mac } from '../crypto/key-ring.js';
import { readTaken, takenRow, takeSql, type Tier } from '../database/rate-limits.service.js';
import { sql, type Sql, execute, hasRow, queryRow } from '../database/sql.js';
import { IamError, type IamErrorCode, toErrorCode } from '../errors/iam.error.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { RecordResolution } from '../users/subject.js';
import { OnUserMerge, type UserMergeListener } from '../users/user-merges.service.js';
import { samePersonSql } from '../users/user.entity.js';
import { attemptHash, type Attempt } from './attempt-cookies.service.js';
import type { Refund, Reserved } from './failure-limits.service.js';
import type { LoginStatus } from './login.entity.js';
import {
  authenticatedCtes,
  type LinkedLogin,
  type LoginStart,
  mintLoginToken,
  auditOfLogin,
  requestColumns,
  requestValues,
} from './login.js';

/** How a claimed callback ended: a login whose code the client gets (`binds`: of a person without a user yet), an identity linked, or an error that the client may see. */
export type LoginOutcome =
  | { readonly kind: 'code'; readonly loginId: string; readonly binds: boolean }
  | { readonly kind: 'linked'; readonly identityId: string }
  | { readonly kind: 'error'; readonly code: IamErrorCode };

/** Time of a callback beyond its two calls to WeChat and the host's two hooks; later its process counts as dead. */
const MARGIN_MS = 2_000;
const TICK_MS = 100;

const meantRow = z.object({ is_meant: z.boolean(), is_refused: z.boolean() });
const claimRow = takenRow.extend({ id: z.string().nullable() });
const outcomeRow = z.object({
  id: z.string(),
  status: z.string(),
  error: z.string().nullable(),
  linked_identity_id: z.string().nullable(),
  binds: z.boolean(),
  age_ms: z.number(),
});

/** Rows stay this long after they were made: longer than any cookie, code or binding token of theirs. */
export const KEEP_LOGIN = sql`interval '1 day'`;

/** A login by the state of an attempt, if it has one, and the hash of WeChat's code; one with an error ends as it begins. */
interface NewLogin {
  readonly start: LoginStart;
  readonly codeHash?: string;
  readonly origin: RequestOrigin;
  readonly error?: IamErrorCode;
}

/**
 * A FROM item that lets the commit of its statement alone return before it is on the disk. If a crash of PostgreSQL loses a claim,
 * no sign-in is lost: every later write of the login waits for the disk, and so for the claim too.
 */
const notAwaitingDisk = sql`set_config('synchronous_commit', 'off', true) AS lazily`;

/** Claims state and code for a row of `from`. No row: one of them was claimed before. */
const insertSql = ({ start, codeHash, origin, error }: NewLogin, from: Sql): Sql => sql`
    INSERT INTO iam.logins (id, state_hash, wechat_code_hash, status, error, provider, method, appid, client_id, redirect_uri,
                            code_challenge, ${requestColumns}, ip, user_agent, expires_at)
    SELECT ${uuidv7()}::uuid, ${start.state === undefined ? null : attemptHash(start.state)}::text, ${codeHash ?? null}::text,
           ${error === undefined ? 'pending' : statusOf(error)}::text, ${error ?? null}::text, ${start.provider}::text,
           ${start.method}::text, ${start.appid}::text, ${start.clientId}::text, ${start.redirectUri ?? null}::text,
           ${start.codeChallenge ?? null}::text, ${requestValues(start.request)}, ${origin.ip}::text, ${origin.userAgent}::text, now() + ${KEEP_LOGIN}
    FROM ${from}
    ON CONFLICT DO NOTHING
    RETURNING id`;

/** As `insertSql`, if the points are there that the FROM item `take` takes; its commit does not wait for the disk. */
const claimSql = (login: NewLogin, take: Sql): Sql => sql`
  WITH taken AS MATERIALIZED (SELECT * FROM ${take}),
  claimed AS (${insertSql(login, sql`taken, ${notAwaitingDisk} WHERE taken.refused IS NULL`)})
  SELECT taken.*, (SELECT id FROM claimed) AS id FROM taken`;

/** A statement that ends logins without success, and its audit entry. */
const endSql = (ended: Sql, refusal: AuditEntry): Sql => sql`
  WITH login AS (${ended}), ${refusalCtes(refusal, sql`login`)} SELECT id FROM login`;

const statusOf = (error: IamErrorCode): LoginStatus => (error === 'access_denied' ? 'denied' : 'failed');

/** The age is by the clock that all replicas share. */
const outcomeSql = (state: string): Sql => sql`
  SELECT id, status, error, linked_identity_id, user_id IS NULL AS binds, (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms
  FROM iam.logins WHERE state_hash = ${attemptHash(state)}`;

/** A login by which a signed-in user has linked an identity. */
const linkedSql = ({ loginId, userId, openid, identityId }: LinkedLogin): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', user_id = ${userId}, openid = ${openid}, linked_identity_id = ${identityId}
    WHERE id = ${loginId} AND status = 'pending'
    RETURNING id
  ) SELECT id FROM login`;

/** Sign-in attempts from their callback on: claimed once, finished once. */
@Injectable()
@OnUserMerge(2)
export class Logins implements UserMergeListener {
  private readonly codes: Mac;
  private readonly patienceMs: number;

  constructor(
    @Inject(IAM_OPTIONS) options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
  ) {
    this.codes = new Mac(options.keyRing, 'login-code');
    const hooksMs = options.hooks === undefined ? 0 : 2 * options.hookTimeout;
    this.patienceMs = 2 * options.wechat.timeout + hooksMs + MARGIN_MS;
  }

  /**
   * Claims WeChat's code, and the state of an attempt that a browser carried, with one insert, which takes the points of
   * `tiers` too; the database decides between simultaneous requests.
   */
  async claim(
    start: LoginStart,
    wechatCode: string,
    origin: RequestOrigin,
    tiers: readonly Tier[] | null,
  ): Promise<Reserved<string | null>> {
    const login = { start, codeHash: sha256(`${start.appid}:${wechatCode}`), origin };
    const row = await queryRow(this.dataSource, claimRow, claimSql(login, takeSql(tiers)));
    return { points: tiers && readTaken(tiers, row), value: row?.id ?? null };
  }

  /** Why a claim gave no login. */
  async findEarlier(attempt: Attempt): Promise<'code_seen_before' | 'claimed_before'> {
    return (await this.findOutcome(attempt.state)) === null ? 'code_seen_before' : 'claimed_before';
  }

  /** Notes that an app sent a code that was claimed before. */
  async refuseAppCode(start: LoginStart): Promise<never> {
    await recordRefusal(this.dataSource, auditOfLogin(start, 'code_already_used'));
    throw new IamError('code_already_used', 'this code was sent before');
  }

  /** Claims the state of an attempt that ends without asking WeChat; false when it was claimed before. */
  async refuse(attempt: Attempt, error: IamErrorCode, origin: RequestOrigin): Promise<boolean> {
    const insert = insertSql({ start: attempt, origin, error }, sql`(VALUES (1)) AS one`);
    // No person is known who could have declined: the row is all, and goes after a day.
    const isSilent = error === 'access_denied' && attempt.link === undefined;
    const statement = isSilent ? insert : endSql(insert, auditOfLogin(attempt, error));
    const isFirst = await hasRow(this.dataSource, statement);
    if (isFirst && attempt.link === undefined) this.telemetry.signInEnded(attempt, error);
    return isFirst;
  }

  /** Stores whom WeChat proved by a claimed login, starts the life of its code, and gives back the points of the try. */
  recordOf(loginId: string, start: LoginStart, refund: Refund): RecordResolution {
    const { consent } = start;
    const login = { ...auditOfLogin(start), loginId, status: 'pending', consent, refund };
    return (person) => authenticatedCtes(person, login);
  }

  /** Stores that a signed-in user has linked an identity by a claimed login; false when it was ended meanwhile. */
  async recordLink(manager: EntityManager, linked: LinkedLogin): Promise<boolean> {
    return hasRow(manager, linkedSql(linked));
  }

  /** Ends a claimed login that WeChat or we refused. */
  async fail(loginId: string, error: IamErrorCode, start: LoginStart): Promise<void> {
    const end = sql`
    UPDATE iam.logins SET status = ${statusOf(error)}, error = ${error} WHERE id = ${loginId} AND status = 'pending' RETURNING id`;
    await execute(this.dataSource, endSql(end, auditOfLogin(start, error)));
    if (start.link === undefined) this.telemetry.signInEnded(start, error);
  }

  /** Ends a proven login of another person than the client means, before its code leaves; a merge leaves them the same. @throws IamError `login_required` */
  async requireSamePerson(loginId: string, userId: string, start: LoginStart): Promise<void> {
    const error = 'login_required';
    const source = { from: sql`login`, userId: sql`login.user_id` };
    const isMeant = samePersonSql(userId, sql`user_id`);
    const refuse = sql`
      WITH login AS (
        UPDATE iam.logins SET status = ${statusOf(error)}, error = ${error}, redeem_before = now(), subject = NULL
        WHERE id = ${loginId} AND status = 'authenticated' AND NOT ${isMeant} RETURNING user_id
      ), audited AS (${insertAudit(auditOfLogin(start, error), source)})
      SELECT ${isMeant} AS is_meant, EXISTS (SELECT 1 FROM login) AS is_refused FROM iam.logins WHERE id = ${loginId}`;
    const row = await queryRow(this.dataSource, meantRow, refuse);
    if (row?.is_meant === true) return;
    if (row?.is_refused === true) this.telemetry.signInEnded(start, error);
    throw new IamError(error, 'another person has signed in than the one whom the client means');
  }

  /** The one-time code of a login, always the same one; it works once the row says `authenticated`. */
  mintCode(loginId: string): string {
    return mintLoginToken(this.codes, loginId);
  }

  /**
   * Waits for another callback of the same attempt, on whatever replica, and gives its outcome.
   * @throws IamError `login_interrupted` when that callback must be dead
   */
  async awaitOutcome(state: string): Promise<LoginOutcome> {
    for (;;) {
      const outcome = await this.findOutcome(state);
      if (outcome === null) throw new IamError('login_interrupted', 'the login is gone');
      if (outcome !== 'pending') return outcome;
      await delay(TICK_MS);
    }
  }

  /** What waits to be redeemed belongs to the user that stays; the browser sessions behind it end with the other one. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    const move = sql`
      UPDATE iam.logins SET user_id = ${toUserId}, browser_session_id = NULL WHERE user_id = ${fromUserId}`;
    await execute(manager, move);
  }

  private async findOutcome(state: string): Promise<LoginOutcome | 'pending' | null> {
    const row = await queryRow(this.dataSource, outcomeRow, outcomeSql(state));
    if (row === null) return null;
    if (row.status === 'pending' && row.age_ms < this.patienceMs) return 'pending';
    if (row.status === 'pending')
      throw new IamError('login_interrupted', `login ${row.id} was claimed and never finished`);
    if (row.linked_identity_id !== null) return { kind: 'linked', identityId: row.linked_identity_id };
    if (row.error !== null) return { kind: 'error', code: toErrorCode(row.error) };
    return { kind: 'code', loginId: row.id, binds: row.binds };
  }
}
