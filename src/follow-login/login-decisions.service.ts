import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { sha256 } from '../crypto/hash.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { loginProvenAtSql } from '../sessions/session-statements.js';
import {
  checkUserCode,
  type UserCodeCheck,
  NUMBER_DIGITS,
  readTypedNumber,
  readUserCode,
  UserCodes,
} from './codes-and-tokens.service.js';
import { followProblemSql, linkOf, type FollowLogin } from './follow-login.js';

/** A device that polls for the last time just before its code expires still finds what was confirmed in that second. */
const COLLECT_SECONDS = 60;

const personRow = z.object({ nickname: z.string().nullable() });

const idRow = z.object({ id: z.string() });

/** What people decide about a login: on the phone that scanned it, or on the page on which its code was typed (RFC 8628 §3.3). */
@Injectable()
export class LoginDecisions {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly userCodes: UserCodes,
  ) {}

  /** Claims the code with which a phone returns to the confirm page; false when another request has it already. */
  async claimConfirmCode(login: Pick<FollowLogin, 'id' | 'appid'>, wechatCode: string): Promise<boolean> {
    const hash = sha256(`${login.appid}:${wechatCode}`);
    const claimed = queryRow(this.dataSource, idRow, claimConfirmCodeSql(login.id, hash));
    return claimed.then((row) => row !== null, takenElsewhere);
  }

  /** The phone's decision, by the scanner alone and once; false when there was nothing left to decide. */
  async decide(login: FollowLogin, openid: string, decision: 'confirmed' | 'denied'): Promise<boolean> {
    const { id, provider } = login;
    const link = linkOf(login);
    const entry = auditOfDecision(login, openid, { decision, step: decision });
    const decide = decideSql({ loginId: id, openid, status: decision }, entry);
    const row = await queryRow(this.dataSource, idRow, decide);
    if (row !== null && decision === 'denied' && link === undefined)
      this.telemetry.signInFailed({ provider, method: 'follow' }, 'access_denied');
    return row !== null;
  }

  /** As `decide`, where agreeing takes the number that the PC shows; after three wrong ones the login is denied. */
  async decideByNumber(login: FollowLogin, openid: string, text: string): Promise<UserCodeCheck> {
    const { id, number_tries } = login;
    const isCode = readUserCode(text) !== null && readUserCode(text) === this.userCodes.of(login);
    const digits = isCode ? login.user_code : readTypedNumber(text);
    if (digits?.length !== NUMBER_DIGITS) return 'wrong';
    const outcome = checkUserCode(login, digits);
    const entry = auditOfDecision(login, openid, { decision: outcome, step: `number_${outcome}` });
    const status = outcome === 'wrong' ? 'scanned' : outcome;
    const decide = decideSql({ loginId: id, openid, status, tries: number_tries }, entry);
    const row = await queryRow(this.dataSource, idRow, decide);
    return row === null ? 'wrong' : outcome;
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
    const row = await queryRow(
      this.dataSource,
      idRow,
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
    return row !== null;
  }

  /** Ends the device authorization: the person who typed its code did not start it. */
  async deny({ id, provider, client_id: clientId }: FollowLogin): Promise<boolean> {
    const entry: AuditEntry = { action: 'login.denied', provider, clientId, detail: { method: 'device' } };
    const row = await queryRow(
      this.dataSource,
      idRow,
      sql`
  WITH denied AS (
    UPDATE iam.logins SET status = 'denied', error = 'access_denied'
    WHERE id = ${id} AND status = 'pending' AND redeem_before > now() RETURNING id
  ), audited AS (
    ${insertAudit(entry, { from: sql`denied` })}
  )
  SELECT id FROM denied`,
    );
    if (row !== null) this.telemetry.signInFailed({ provider, method: 'device' }, 'access_denied');
    return row !== null;
  }
}

type Step = 'confirmed' | 'denied' | `number_${UserCodeCheck}`;

/** To deny a link is to refuse it; every other decision is a step of a login. */
function auditOfDecision(
  login: FollowLogin,
  openid: string,
  { decision, step }: { readonly decision: UserCodeCheck; readonly step: Step },
): AuditEntry {
  const { provider } = login;
  const link = linkOf(login);
  if (link === undefined || decision !== 'denied')
    return { ...link, action: `login.${step}`, provider, detail: { openid } };
  const detail = { openid, method: 'follow', error: 'access_denied' };
  return { ...link, action: 'identity.link_refused', provider, detail };
}

/** What a phone makes of a login that its follower scanned. */
interface PhoneDecision {
  readonly loginId: string;
  readonly openid: string;
  readonly status: 'confirmed' | 'denied' | 'scanned';
  /**
   * Tries known, where it is a number typed on the confirm page. Of numbers sent at once only one finds the tries as they were
   * known, so haste gives no more of them.
   */
  readonly tries?: number;
}

/** No row: there was nothing left to decide. */
const decideSql = ({ loginId, openid, status, tries }: PhoneDecision, entry: AuditEntry): Sql => sql`
  WITH decided AS (
    UPDATE iam.logins SET status = ${status}, number_tries = number_tries + ${tries === undefined ? 0 : 1}::int,
           confirmed_at = ${status === 'confirmed' ? sql`now()` : sql`NULL`},
           error = ${status === 'denied' ? 'access_denied' : null}
    WHERE id = ${loginId} AND openid = ${openid} AND status = 'scanned' AND redeem_before > now()
      AND ${followProblemSql('logins')} IS NULL AND number_tries = COALESCE(${tries ?? null}::int, number_tries)
    RETURNING id
  ), audited AS (
    ${insertAudit(entry, { from: sql`decided` })}
  )
  SELECT id FROM decided`;

/** The code with which a phone returns to the confirm page, once. No row: it was here before. */
const claimConfirmCodeSql = (loginId: string, codeHash: string): Sql => sql`
  WITH claimed AS (
    UPDATE iam.logins SET wechat_code_hash = ${codeHash}
    WHERE id = ${loginId} AND wechat_code_hash IS DISTINCT FROM ${codeHash} RETURNING id
  ) SELECT id FROM claimed`;

/** The code belongs to another login, e.g. to a sign-in by redirect. */
function takenElsewhere(error: unknown): false {
  if (isUniqueViolation(error)) return false;
  throw error;
}
