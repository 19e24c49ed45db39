import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { sha256 } from '../crypto/hash.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { hasRow, queryRow, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { loginProvenAtSql } from '../sessions/session-statements.js';
import {
  checkUserCode,
  FollowTokens,
  type UserCodeCheck,
  NUMBER_DIGITS,
  readTypedNumber,
  readUserCode,
} from './codes-and-tokens.service.js';
import { followProblemSql, linkOf, type FollowLogin } from './follow-login.js';

/** A device that polls for the last time just before its code expires still finds what was confirmed in that second. */
const COLLECT_SECONDS = 60;

const personRow = z.object({ nickname: z.string().nullable() });

/** Decisions about a login: on the phone that scanned it, or on the page on which its code was typed (RFC 8628 §3.3). */
@Injectable()
export class LoginDecisions {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly tokens: FollowTokens,
  ) {}

  /** Claims the code with which a phone returns to the confirm page; false when another request, or another login, has it already. */
  async claimConfirmCode(
    { id, appid }: Pick<FollowLogin, 'id' | 'appid'>,
    wechatCode: string,
  ): Promise<boolean> {
    const hash = sha256(`${appid}:${wechatCode}`);
    const claim = sql`
      WITH claimed AS (
        UPDATE iam.logins SET wechat_code_hash = ${hash}
        WHERE id = ${id} AND wechat_code_hash IS DISTINCT FROM ${hash} RETURNING id
      ) SELECT id FROM claimed`;
    try {
      return await hasRow(this.dataSource, claim);
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  /**
   * The phone's decision, by the scanner alone and once. Where agreeing takes the number that the PC shows, that is `typed`; the
   * third wrong one denies. Null: another decision, or time, came first.
   */
  async decide(
    login: FollowLogin,
    openid: string,
    { decision, typed = '' }: { readonly decision: 'confirm' | 'deny'; readonly typed?: string | undefined },
  ): Promise<UserCodeCheck | null> {
    const step = decision === 'confirm' ? this.agree(login, typed) : 'denied';
    if (step === null) return 'wrong';
    const outcome = outcomes[step];
    // Of numbers sent at once only one finds the tries as they were known, so haste gives no more of them.
    const tries = step === outcome ? null : login.number_tries;
    const isDecided = await hasRow(
      this.dataSource,
      sql`
  WITH decided AS (
    UPDATE iam.logins SET status = ${outcome === 'wrong' ? 'scanned' : outcome}, number_tries = number_tries + ${tries === null ? 0 : 1}::int,
           confirmed_at = ${outcome === 'confirmed' ? sql`now()` : sql`NULL`},
           error = ${outcome === 'denied' ? 'access_denied' : null}
    WHERE id = ${login.id} AND openid = ${openid} AND status = 'scanned' AND redeem_before > now()
      AND ${followProblemSql('logins')} IS NULL AND number_tries = COALESCE(${tries}::int, number_tries)
    RETURNING id
  ), audited AS (
    ${insertAudit(auditOfDecision(login, openid, step), { from: sql`decided` })}
  )
  SELECT id FROM decided`,
    );
    if (isDecided && step === 'denied' && linkOf(login) === undefined)
      this.telemetry.signInEnded({ provider: login.provider, method: 'follow' }, 'access_denied');
    if (isDecided) return outcome;
    return tries === null ? null : 'wrong';
  }

  /** Null for a text that is no number: it costs no try. */
  private agree(login: FollowLogin, typed: string): DecisionStep | null {
    if (login.confirmation !== 'number') return 'confirmed';
    const code = readUserCode(typed);
    const isCode = code !== null && code === this.tokens.userCodeOf(login);
    const digits = isCode ? login.user_code : readTypedNumber(typed);
    return digits?.length === NUMBER_DIGITS ? `number_${checkUserCode(login, digits)}` : null;
  }

  /** Who signed in on the page; null once that sign-in is over. */
  findPerson(signInId: string): Promise<{ readonly nickname: string | null } | null> {
    return queryRow(
      this.dataSource,
      personRow,
      sql`SELECT u.nickname FROM iam.logins l LEFT JOIN iam.users u ON u.id = l.user_id
          WHERE l.id = ${signInId} AND l.status = 'authenticated' AND l.redeem_before > now()`,
    );
  }

  /**
   * Hands the sign-in of the page over to the device, whose poll then collects it: once, and not both. False when one of them is
   * over, by another tab, another person or time.
   */
  async approve({ id, provider, client_id: clientId }: FollowLogin, signInId: string): Promise<boolean> {
    const entry: AuditEntry = { action: 'login.confirmed', provider, clientId, detail: { method: 'device' } };
    return hasRow(
      this.dataSource,
      sql`
  WITH person AS (
    SELECT l.*, ${loginProvenAtSql('l')} AS proven_at FROM iam.logins l
    WHERE l.id = ${signInId} AND l.status = 'authenticated' AND l.redeem_before > now() FOR UPDATE
  ), approved AS (
    UPDATE iam.logins d
    SET status = 'authenticated', method = 'device', appid = p.appid, openid = p.openid, user_id = p.user_id,
        is_new_user = p.is_new_user, subject = p.subject, confirmation = 'tap', scanned_at = p.proven_at, confirmed_at = now(),
        redeem_before = GREATEST(d.redeem_before, now() + make_interval(secs => ${COLLECT_SECONDS}::int))
    FROM person p
    WHERE d.id = ${id} AND d.status = 'pending' AND d.redeem_before > now() AND d.user_code_hash IS NOT NULL
      AND d.provider = p.provider AND d.client_id = p.client_id
    RETURNING d.id, d.user_id
  ), handed AS (
    UPDATE iam.logins l SET status = 'consumed', subject = NULL FROM approved WHERE l.id = ${signInId}
  ), audited AS (
    ${insertAudit(entry, { from: sql`approved`, userId: sql`approved.user_id` })}
  )
  SELECT id FROM approved`,
    );
  }

  /** Ends the device authorization: the person who typed its code did not start it. */
  async deny({ id, provider, client_id: clientId }: FollowLogin): Promise<boolean> {
    const entry: AuditEntry = { action: 'login.denied', provider, clientId, detail: { method: 'device' } };
    const isDenied = await hasRow(
      this.dataSource,
      sql`
  WITH denied AS (
    UPDATE iam.logins SET status = 'denied', error = 'access_denied'
    WHERE id = ${id} AND status = 'pending' AND redeem_before > now() RETURNING id
  ), audited AS (
    ${insertAudit(entry, { from: sql`denied` })}
  )
  SELECT id FROM denied`,
    );
    if (isDenied) this.telemetry.signInEnded({ provider, method: 'device' }, 'access_denied');
    return isDenied;
  }
}

/** The outcome of each step that the audit log knows. */
const outcomes = {
  confirmed: 'confirmed',
  denied: 'denied',
  number_confirmed: 'confirmed',
  number_wrong: 'wrong',
  number_denied: 'denied',
} as const satisfies Record<string, UserCodeCheck>;

type DecisionStep = keyof typeof outcomes;

/** To deny a link is to refuse it; every other decision is a step of a login. */
function auditOfDecision(login: FollowLogin, openid: string, step: DecisionStep): AuditEntry {
  const { provider } = login;
  const link = linkOf(login);
  if (link === undefined || outcomes[step] !== 'denied')
    return { ...link, action: `login.${step}`, provider, detail: { openid } };
  const detail = { openid, method: 'follow', error: 'access_denied' };
  return { ...link, action: 'identity.link_refused', provider, detail };
}
