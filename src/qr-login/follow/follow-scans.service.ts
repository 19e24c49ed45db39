import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../../audit/record-audit.js';
import { sha256 } from '../../crypto/hash.js';
import { empty, queryRow, sql, type Sql } from '../../database/sql.js';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { insertInboxEvent, type InboxEvent } from '../../webhook/inbox/webhook-event.entity.js';
import {
  NUMBER_DIGITS,
  NUMBER_TRIES,
  readTypedNumber,
  readUserCode,
  type UserCodeCheck,
} from '../codes-and-tokens.service.js';
import { COLLECT, qrLoginRow, qrProblemSql } from '../qr-login.js';
import { QrLogins } from '../qr-logins.service.js';

const scanRow = z.object({
  loginId: z.string(),
  /** The row at which the login was started. */
  provider: z.string(),
  clientId: z.string(),
  status: qrLoginRow.shape.status,
  outcome: z.enum(['owned', 'taken', 'over']),
  confirmation: z.enum(['tap', 'number', 'none']),
  /** The account that the scanner is to be linked to; null for a sign-in. */
  link: z.object({ nickname: z.string().nullable() }).nullable(),
});
const numberRow = z.object({
  loginId: z.string().nullable(),
  outcome: z.enum(['confirmed', 'wrong', 'denied', 'over']).nullable(),
  isLink: z.boolean(),
  isSettled: z.boolean(),
});

/** The result of a scan. `owned`: this follower is the first scanner. `taken`: another one is. `over`: too late. */
export type ScanOutcome = Readonly<z.infer<typeof scanRow>>;

/** A typed number and the login it was typed for. */
export interface EnteredUserCode {
  /** Null for a repeated delivery: the login that waits now may be another. */
  readonly loginId: string | null;
  /** `over`: the login has ended by itself. */
  readonly outcome: UserCodeCheck | 'over';
  /** It was to link an identity, not to sign in. */
  readonly isLink: boolean;
}

/** A push that is about a login: of which Official Account, and as the inbox keeps it. */
interface PushOfLogin {
  readonly appid: string;
  readonly event: InboxEvent;
  /** A further change by a new push: a statement that reads from `inserted`. */
  readonly effect?: Sql | undefined;
}

/** The effect of a push on device authorizations: of a scan, or of a number that is sent to the chat. */
@Injectable()
export class FollowScans {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly logins: QrLogins,
  ) {}

  /** Records a scan at an Official Account together with its inbox row: one round trip. Null: no login has this scene. */
  scan(scene: string, push: PushOfLogin): Promise<ScanOutcome | null> {
    const entry: AuditEntry = { action: 'login.scanned', detail: { openid: push.event.openid } };
    return queryRow(this.dataSource, scanRow, scanSql(sha256(scene), push, entry));
  }

  /** Takes a typed number for the login that this follower scanned: one round trip. Null: the text is not for us. */
  async takeNumber(appid: string, text: string, event: InboxEvent): Promise<EnteredUserCode | null> {
    const digits = readTypedNumber(text) ?? (await this.numberBehind(text));
    if (digits === null) return null;
    const entry: AuditEntry = { action: 'login.number_typed', detail: { openid: event.openid } };
    const take = () => queryRow(this.dataSource, numberRow, takeNumberSql(digits, { appid, event }, entry));
    const first = await take();
    const row = first?.isSettled === false ? await take() : first;
    return row?.outcome == null ? null : { ...row, outcome: row.outcome };
  }

  /** The number of the login whose letters were typed in its place; of letters that are none, no digits: a try that costs none. */
  private async numberBehind(text: string): Promise<string | null> {
    const code = readUserCode(text);
    if (code === null) return null;
    return (await this.logins.findByCode(code))?.user_code ?? '';
  }
}

/**
 * A scan with its inbox row, in one statement. The first scanner owns the login: a scan that waits for the row lock finds it taken.
 * `outcome` depends on the login and its row alone, so a repeated delivery gets the same reply. An Official Account has
 * one server URL, so the provider of the login may be another than the one that the push came to. A login whose row admits no
 * sign-in any more ends here.
 */
const scanSql = (sceneHash: string, { appid, event, effect }: PushOfLogin, entry: AuditEntry): Sql => sql`
  WITH inserted AS (${insertInboxEvent(event, { status: 'done' })}),
  ${effect === undefined ? empty : sql`effect AS (${effect}),`}
  target AS (
    SELECT id, provider, client_id, status, openid, confirmation, user_id, link_session_id IS NOT NULL AS is_link,
           appid = ${appid} AND redeem_before > now() AND ${event.openid}::text IS NOT NULL AS is_live,
           ${qrProblemSql('logins')} AS problem
    FROM iam.logins WHERE scene_hash = ${sceneHash} FOR UPDATE
  ), scanned AS (
    UPDATE iam.logins l
    SET openid = ${event.openid}, scanned_at = now(),
        status = CASE WHEN l.confirmation = 'none' THEN 'confirmed' ELSE 'scanned' END,
        confirmed_at = CASE WHEN l.confirmation = 'none' THEN now() END,
        redeem_before = LEAST(GREATEST(l.redeem_before, now() + ${COLLECT}), l.attempt_ends_at)
    FROM target t, inserted
    WHERE l.id = t.id AND t.status = 'pending' AND l.status = 'pending' AND t.is_live AND t.problem IS NULL
    RETURNING l.id, l.status
  ), ended AS (
    UPDATE iam.logins l SET status = 'failed', error = t.problem FROM target t, inserted
    WHERE l.id = t.id AND t.is_live AND t.problem IS NOT NULL
  ), verdict AS (
    SELECT t.id, t.provider, t.client_id, COALESCE(s.status, t.status) AS status, t.confirmation,
           CASE WHEN t.is_link THEN jsonb_build_object('nickname', (SELECT u.nickname FROM iam.users u WHERE u.id = t.user_id)) END AS link,
           CASE
             WHEN s.id IS NOT NULL THEN 'owned'
             WHEN NOT t.is_live OR t.problem IS NOT NULL OR t.status NOT IN ('scanned', 'confirmed', 'authenticated') THEN 'over'
             WHEN t.openid = ${event.openid} THEN 'owned'
             ELSE 'taken'
           END AS outcome
    FROM target t LEFT JOIN scanned s ON s.id = t.id
  ), audited AS (
    ${insertAudit(entry, {
      from: sql`inserted LEFT JOIN verdict ON true`,
      provider: sql`verdict.provider`,
      detail: sql`jsonb_build_object('outcome', COALESCE(verdict.outcome, 'unknown_scene'), 'login', verdict.id)`,
    })}
  )
  SELECT id AS "loginId", provider, client_id AS "clientId", status, outcome, confirmation, link FROM verdict`;

/**
 * A typed number with its inbox row, in one statement. Of several logins that wait for a number of this follower, the one that
 * shows it is meant, else the latest. A number of another length is no try. After the end of the login, or at a row that
 * admits no sign-in, the outcome is `over`. No row is stored when none waits. `outcome` of a repeated delivery is the stored
 * one; null means the text is not for us. `isSettled` is false for a repetition that came at once: it does not see the effect
 * of the first delivery yet.
 */
const takeNumberSql = (digits: string, { appid, event }: PushOfLogin, entry: AuditEntry): Sql => sql`
  WITH target AS (
    SELECT id, provider, link_session_id IS NOT NULL AS is_link, CASE
             WHEN redeem_before <= now() OR ${qrProblemSql('logins')} IS NOT NULL THEN 'over'
             WHEN user_code = ${digits} THEN 'confirmed'
             WHEN ${digits.length !== NUMBER_DIGITS}::boolean THEN 'wrong'
             WHEN number_tries + 1 >= ${NUMBER_TRIES}::int THEN 'denied'
             ELSE 'wrong' END AS outcome
    FROM iam.logins
    WHERE appid = ${appid} AND openid = ${event.openid} AND status = 'scanned' AND confirmation = 'number'
      AND redeem_before > now() - ${COLLECT}
    ORDER BY redeem_before > now() DESC, user_code = ${digits} DESC, scanned_at DESC
    LIMIT 1 FOR UPDATE
  ), event AS (
    ${insertInboxEvent(
      event,
      { status: 'done' },
      {
        where: sql`EXISTS (SELECT 1 FROM target)`,
        result: sql`(SELECT jsonb_build_object('number', outcome, 'link', is_link) FROM target)`,
      },
    )}
  ), counted AS (
    UPDATE iam.logins l
    SET number_tries = l.number_tries + ${digits.length === NUMBER_DIGITS ? 1 : 0}::int,
        status = CASE t.outcome WHEN 'wrong' THEN 'scanned' ELSE t.outcome END,
        confirmed_at = CASE t.outcome WHEN 'confirmed' THEN now() END,
        error = CASE t.outcome WHEN 'denied' THEN 'access_denied' END
    FROM target t, event
    WHERE l.id = t.id AND t.outcome <> 'over'
    RETURNING l.id, l.provider, t.outcome
  ), audited AS (
    ${insertAudit(entry, {
      from: sql`counted`,
      provider: sql`counted.provider`,
      detail: sql`jsonb_build_object('outcome', counted.outcome, 'login', counted.id)`,
    })}
  )
  SELECT CASE WHEN e.id IS NULL THEN target.id END AS "loginId", COALESCE(e.result ->> 'number', target.outcome) AS outcome,
         COALESCE((e.result ->> 'link')::boolean, target.is_link, false) AS "isLink",
         e.id IS NOT NULL OR target.id IS NULL OR EXISTS (SELECT 1 FROM event) AS "isSettled"
  FROM (VALUES (1)) AS one
  LEFT JOIN target ON true
  LEFT JOIN iam.webhook_events e ON e.dedupe_key = ${event.dedupeKey}`;
