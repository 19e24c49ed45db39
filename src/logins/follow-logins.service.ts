import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { auditParameters, type RequestOrigin } from '../audit/record-audit.js';
import { sha256 } from '../crypto/hash.js';
import { randomAlphanumeric } from '../crypto/random.js';
import { queryRow, queryRows, type SqlExecutor } from '../database/query-rows.js';
import type { IamErrorCode } from '../iam.error.js';
import { IAM_DATA_SOURCE } from '../iam.resolved-options.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { inboxParameters, type InboxEvent } from '../inbox/inbox-statements.js';
import type { Subject } from '../users/subject.js';
import type { Resolution } from '../users/users.service.js';
import { followLoginRow, type FollowLogin } from './follow-login.js';
import {
  answerNumberSql,
  authenticateFollowSql,
  changedFollowsSql,
  consumeFollowSql,
  decideByNumberSql,
  decideSql,
  failFollowSql,
  followsSql,
  numberTargetSql,
  scanSql,
  startFollowSql,
} from './follow-statements.js';
import { judgeNumber, type AnsweredNumber, type NumberOutcome } from './judge-number.js';

/** Life of a QR code, in seconds. */
export const QR_SECONDS = 300;

/** Marks a scene as ours among those of the host; with 43 random characters it stays under WeChat's 64. */
const SCENE_TAG = 'iam:';
const CODE_SECONDS = 60;

/** Who asks for a QR code. */
export interface FollowStart {
  readonly provider: IdentityProvider;
  readonly appid: string;
  readonly clientId: string;
  /** Of the sign-in page, which ends in a code; absent for a client that polls for tokens. */
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  readonly origin: RequestOrigin;
}

/** What a scan did. `owned`: this follower is the first scanner. `taken`: somebody else is. `over`: too late. */
export interface ScanOutcome {
  readonly loginId: string;
  /** The row at which the login was started. */
  readonly provider: string;
  readonly outcome: 'owned' | 'taken' | 'over';
  readonly status: string;
  readonly confirmation: 'tap' | 'number' | 'none';
}

const scanRow = z.object({
  id: z.string(),
  provider: z.string(),
  status: z.string(),
  outcome: z.enum(['owned', 'taken', 'over']),
  confirmation: z.enum(['tap', 'number', 'none']),
});
const idRow = z.object({ id: z.string() });
const numberTarget = z.object({
  id: z.string(),
  provider: z.string(),
  user_code: z.string(),
  number_tries: z.number(),
});
const numberResult = z.object({ result: z.object({ number: z.enum(['confirmed', 'wrong', 'denied']) }) });

/** Device authorizations (RFC 8628) whose user code is an Official Account's QR code. */
@Injectable()
export class FollowLogins {
  constructor(@Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** Stores the attempt, before WeChat is asked for its QR code, so that no scan can come too early. */
  async start(
    start: FollowStart,
  ): Promise<{ readonly loginId: string; readonly scene: string; readonly userCode: string }> {
    const loginId = uuidv7();
    const scene = `${SCENE_TAG}${randomAlphanumeric(43)}`;
    const userCode = String(randomInt(10_000)).padStart(4, '0');
    await this.dataSource.query(startFollowSql, [
      loginId,
      sha256(scene),
      userCode,
      start.provider.slug,
      start.appid,
      start.clientId,
      start.redirectUri ?? null,
      start.codeChallenge ?? null,
      QR_SECONDS,
      start.origin.ip,
      start.origin.userAgent,
      start.provider.qr.confirmation,
    ]);
    return { loginId, scene, userCode };
  }

  /** True for a scene of ours; the others are the host's. */
  isOurScene(scene: string): boolean {
    return scene.startsWith(SCENE_TAG);
  }

  /** Records a scan at an Official Account together with its inbox row: one round trip. Null: no login has this scene. */
  async scan(appid: string, scene: string, event: InboxEvent): Promise<ScanOutcome | null> {
    const row = await queryRow(this.dataSource, scanRow, scanSql, [
      ...inboxParameters(event, { status: 'done' }),
      sha256(scene),
      appid,
      event.openid,
      ...auditParameters({ action: 'login.scanned', detail: { openid: event.openid } }),
    ]);
    if (row === null) return null;
    const { id: loginId, ...outcome } = row;
    return { loginId, ...outcome };
  }

  /** Takes a typed number for the login that this follower scanned. Null: none waits for a number, or this is none. */
  async answerNumber(appid: string, text: string, event: InboxEvent): Promise<AnsweredNumber | null> {
    if (!/^\d{4}$/.test(text)) return null;
    const target = await queryRow(this.dataSource, numberTarget, numberTargetSql, [appid, event.openid]);
    if (target === null) return null;
    const outcome = judgeNumber(target, text);
    const status = outcome === 'wrong' ? 'scanned' : outcome;
    const stored = await queryRow(this.dataSource, numberResult, answerNumberSql, [
      ...inboxParameters(event, { status: 'done', result: { number: outcome } }),
      target.id,
      target.number_tries,
      status,
      ...auditParameters({
        action: `login.number_${outcome}`,
        provider: target.provider,
        detail: { openid: event.openid },
      }),
    ]);
    return { loginId: target.id, outcome: stored?.result.number ?? outcome };
  }

  /** The phone's decision, by the scanner alone and once; false when there was nothing left to decide. */
  async decide(
    login: Pick<FollowLogin, 'id' | 'provider'>,
    openid: string,
    decision: 'confirmed' | 'denied',
    origin: RequestOrigin,
  ): Promise<boolean> {
    const row = await queryRow(this.dataSource, idRow, decideSql, [
      login.id,
      openid,
      decision,
      ...auditParameters({
        action: `login.${decision}`,
        provider: login.provider,
        origin,
        detail: { openid },
      }),
    ]);
    return row !== null;
  }

  /** As `decide`, where agreeing takes the number that the PC shows; after three wrong ones the login is denied. */
  async decideByNumber(
    login: FollowLogin,
    openid: string,
    text: string,
    origin: RequestOrigin,
  ): Promise<NumberOutcome> {
    const { id, provider, number_tries } = login;
    const outcome = judgeNumber(login, text);
    const row = await queryRow(this.dataSource, idRow, decideByNumberSql, [
      id,
      openid,
      number_tries,
      outcome === 'wrong' ? 'scanned' : outcome,
      ...auditParameters({ action: `login.number_${outcome}`, provider, origin, detail: { openid } }),
    ]);
    return row === null ? 'wrong' : outcome;
  }

  /** WeChat gave no QR code. */
  async fail(loginId: string, error: IamErrorCode): Promise<void> {
    await this.dataSource.query(failFollowSql, [loginId, error]);
  }

  /** The logins with these ids, as they stand; one round trip however many. */
  findAll(loginIds: readonly string[]): Promise<FollowLogin[]> {
    return queryRows(this.dataSource, followLoginRow, followsSql, [loginIds]);
  }

  /** As `findAll`, leaving out those of `waiting` that are still pending and alive. */
  findChanged(loginIds: readonly string[], waiting: readonly string[]): Promise<FollowLogin[]> {
    return queryRows(this.dataSource, followLoginRow, changedFollowsSql, [loginIds, waiting]);
  }

  /** The login with this id. */
  async find(loginId: string): Promise<FollowLogin | null> {
    const [login] = await this.findAll([loginId]);
    return login ?? null;
  }

  /** Stores whom the follower is; as `Logins.authenticate` for a redirect sign-in. */
  async authenticate(
    executor: SqlExecutor,
    login: FollowLogin,
    proof: { readonly subject: Subject; readonly resolution: Resolution },
  ): Promise<void> {
    const { subject, resolution } = proof;
    const isUser = resolution.kind === 'user';
    await executor.query(authenticateFollowSql, [
      login.id,
      isUser ? resolution.userId : null,
      isUser && resolution.isNewUser,
      isUser ? null : JSON.stringify(subject),
      CODE_SECONDS,
      ...auditParameters({
        action: isUser && resolution.isNewUser ? 'user.signed_up' : 'login.authenticated',
        clientId: login.client_id,
        provider: login.provider,
        origin: { ip: login.ip, userAgent: login.user_agent },
        detail: { method: 'follow', appid: login.appid },
      }),
    ]);
  }

  /** Takes a confirmed login as the proof of a follow, once. */
  async consume(loginId: string): Promise<boolean> {
    return (await queryRow(this.dataSource, idRow, consumeFollowSql, [loginId])) !== null;
  }
}
