import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import type { AuditAction } from '../audit/audit-actions.js';
import { insertAudit } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { sha256 } from '../crypto/hash.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { readTaken, takenRow, takeSql, type Tier } from '../database/rate-limits.service.js';
import { empty, queryRow, raw, sql, type Sql, type SqlExecutor } from '../database/sql.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import type { Reserved } from '../sign-in/failure-limits.service.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import {
  LoginTokens,
  NUMBER_DIGITS,
  NUMBER_TRIES,
  readTypedNumber,
  readUserCode,
  type UserCodeCheck,
} from './codes-and-tokens.service.js';
import type { ScannerProof } from '../sign-in/page-cookies.service.js';
import { type QrLogin, qrLoginRow, linkOf, selectQrLogins } from './qr-login.js';

/** A scan as its phone's page shows it. */
export const phoneLoginRow = qrLoginRow.extend({
  /** Of the account that the scanner is to be linked to. */
  account_nickname: z.string().nullable(),
});

/** See `phoneLoginRow`. */
export type PhoneLogin = Readonly<z.infer<typeof phoneLoginRow>>;

/** The login that a page's link names, at the provider in its path. */
export interface NamedLogin {
  readonly loginId: string;
  readonly provider: string;
}

/** The login whose QR code of a page of ours carries this scene, at the provider in its path. */
export interface ScannedCode {
  readonly scene: string;
  readonly provider: string;
}

/** The login of a claim; `isClaimed` is false when another request, or another login, has had the code already. */
interface PhoneArrival {
  readonly login: PhoneLogin;
  readonly isClaimed: boolean;
}

const noLogin = z.object({ id: z.null() });
const arrivalRow = z.union([
  phoneLoginRow.extend({ is_claimed: z.boolean() }).extend(takenRow.shape),
  noLogin.extend(takenRow.shape),
]);

/** A decision, once it is compared with the row; `number_…` where agreeing takes the number. */
const steps = {
  confirmed: { outcome: 'confirmed', action: 'login.confirmed' },
  denied: { outcome: 'denied', action: 'login.denied' },
  number_confirmed: { outcome: 'confirmed', action: 'login.number_confirmed' },
  number_wrong: { outcome: 'wrong', action: 'login.number_wrong' },
  number_denied: { outcome: 'denied', action: 'login.number_denied' },
  /** A text that is no number costs no try. */
  unread: { outcome: 'wrong', action: null },
} as const satisfies Record<string, { readonly outcome: UserCodeCheck; readonly action: AuditAction | null }>;

const decidedRow = phoneLoginRow.extend({
  decider: z.string().nullable(),
  step: z.custom<keyof typeof steps>((value) => typeof value === 'string' && value in steps).nullable(),
});

/** A decision of the scanner and its effect on the login; `outcome` is null when another decision, or time, came first. */
export interface PhoneDecision {
  readonly login: PhoneLogin;
  readonly outcome: UserCodeCheck | null;
  /** The openid of the person who decides; null where the proof is not for the app of this login. */
  readonly decider: string | null;
}

/** Who decides about which login, in SQL. What is left out is that of a scanner whose phone is known by a proof of ours. */
export interface Decider {
  /** A condition on `l`. */
  readonly login: Sql;
  readonly openid: Sql;
  /** CTEs before those of the decision, each with its comma, and their part of the FROM clause of its UPDATE. */
  readonly ctes?: Sql;
  readonly from?: Sql;
  /** What a confirmation makes of the status, and further columns that it sets. */
  readonly status?: Sql;
  readonly columns?: Sql;
  /** What it stores of the person who confirms. */
  readonly subject?: Sql;
  /** CTEs after it, which read `decided`. */
  readonly effects?: Sql;
}

/** What the phone's form says. */
export interface DecisionForm {
  readonly decision: 'confirm' | 'deny';
  readonly typed?: string | undefined;
}

/** What a person typed, as far as it is a number, and as far as it may be the letters of a code. */
interface TypedNumber {
  readonly digits: string | null;
  readonly hashes: readonly string[];
}

/** For `selectQrLogins`: what `phoneLoginRow` has beyond it. */
export const accountNickname = sql`, CASE WHEN link_session_id IS NOT NULL THEN (SELECT u.nickname FROM iam.users u WHERE u.id = l.user_id) END AS account_nickname`;

const isNamed = (named: NamedLogin | ScannedCode): Sql =>
  'scene' in named
    ? sql`scene_hash = ${sha256(named.scene)} AND provider = ${named.provider} AND method = 'page'`
    : sql`id = ${named.loginId} AND provider = ${named.provider} AND scene_hash IS NOT NULL`;

/** Claims a code for a login under way, if the points of `take` are there. Another login that gets the code meanwhile violates a constraint. */
const claimSql = (named: NamedLogin | ScannedCode, appid: string, hash: string, take: Sql): Sql => sql`
  WITH taken AS MATERIALIZED (SELECT * FROM ${take}),
  login AS (${selectQrLogins(accountNickname)} WHERE ${isNamed(named)}),
  claimed AS (
    UPDATE iam.logins l SET wechat_code_hash = ${hash} FROM login, taken
    WHERE taken.refused IS NULL AND login.status <> 'failed'
      AND l.id = login.id AND l.appid = ${appid} AND l.wechat_code_hash IS DISTINCT FROM ${hash}
      AND NOT EXISTS (SELECT 1 FROM iam.logins other WHERE other.wechat_code_hash = ${hash})
    RETURNING 1
  ) SELECT taken.*, login.*, EXISTS (SELECT 1 FROM claimed) AS is_claimed FROM taken LEFT JOIN login ON true`;

const namesOf = (outcome: UserCodeCheck): Sql =>
  raw(
    Object.entries(steps)
      .flatMap(([step, each]) => (each.action !== null && each.outcome === outcome ? [`'${step}'`] : []))
      .join(', '),
  );
/** In the UPDATE of a decision: it confirms `t`. */
export const isConfirmedStep = sql`t.step IN (${namesOf('confirmed')})`;
/** To deny a link is to refuse it; every other decision is a step of a login. */
const isRefusedLink = sql`decided.link_session_id IS NOT NULL AND decided.step IN (${namesOf('denied')})`;
const actionSql = sql`CASE WHEN ${isRefusedLink} THEN 'identity.link_refused' ${raw(
  Object.entries(steps)
    .flatMap(([step, { action }]) =>
      action === null ? [] : [`WHEN decided.step = '${step}' THEN '${action}'`],
    )
    .join(' '),
)} END`;

/**
 * The scanner's decision, once. The row is locked before the number is compared: of numbers sent at once each finds the tries
 * that those before it have left.
 */
const decideSql = (
  {
    login,
    openid,
    ctes = empty,
    from = empty,
    status = sql`'confirmed'`,
    columns = empty,
    subject = sql`l.subject`,
    effects = empty,
  }: Decider,
  decision: DecisionForm['decision'],
  { digits, hashes }: TypedNumber,
): Sql => sql`
  WITH ${ctes} target AS (
    ${selectQrLogins(sql`${accountNickname}, ${openid} AS decider, CASE
        WHEN l.status <> 'scanned' OR openid IS DISTINCT FROM ${openid} OR redeem_before <= now() OR problem IS NOT NULL THEN NULL
        WHEN ${decision === 'deny'}::boolean THEN 'denied'
        WHEN confirmation IS DISTINCT FROM 'number' THEN 'confirmed'
        WHEN user_code = ${digits}::text OR user_code_hash = ANY (${hashes}::text[]) THEN 'number_confirmed'
        WHEN length(${digits}::text) IS DISTINCT FROM ${NUMBER_DIGITS}::int THEN 'unread'
        WHEN number_tries + 1 >= ${NUMBER_TRIES}::int THEN 'number_denied'
        ELSE 'number_wrong' END AS step`)}
    WHERE ${login} FOR UPDATE OF l
  ), decided AS (
    UPDATE iam.logins l
    SET status = CASE WHEN ${isConfirmedStep} THEN ${status} WHEN t.step IN (${namesOf('denied')}) THEN 'denied' ELSE 'scanned' END,
        number_tries = l.number_tries + CASE WHEN t.step LIKE 'number_%' THEN 1 ELSE 0 END,
        confirmed_at = CASE WHEN ${isConfirmedStep} THEN now() END,
        error = CASE WHEN t.step IN (${namesOf('denied')}) THEN 'access_denied' END,
        subject = CASE WHEN ${isConfirmedStep} THEN ${subject} WHEN t.step NOT IN (${namesOf('denied')}) THEN l.subject END${columns}
    FROM target t${from} WHERE l.id = t.id AND t.step <> 'unread'
    RETURNING l.*, t.step
  ), audited AS (
    ${insertAudit(
      { action: actionSql },
      {
        from: sql`decided`,
        userId: sql`decided.user_id`,
        sessionId: sql`decided.link_session_id`,
        provider: sql`decided.provider`,
        detail: sql`jsonb_build_object('openid', decided.openid)
          || CASE WHEN ${isRefusedLink} THEN jsonb_build_object('method', decided.method, 'error', 'access_denied') ELSE '{}' END`,
      },
    )}
  )${effects}
  SELECT * FROM target`;

/** The scanner of a login that a page names, whose openid a proof of ours has. */
export const scannerOf = (
  named: NamedLogin,
  { openid, subject }: Pick<ScannerProof, 'openid' | 'subject'>,
): Decider => ({
  login: isNamed(named),
  openid: sql`${openid}::text`,
  ...(subject !== undefined && { subject: sql`${JSON.stringify(subject)}::jsonb` }),
});

/** A scan on the phone that made it: found, claimed on the way back from WeChat, decided; one statement each. */
@Injectable()
export class PhoneLogins {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly tokens: LoginTokens,
  ) {}

  /** The login as it is now; null when the provider has no such scan. */
  find(named: NamedLogin): Promise<PhoneLogin | null> {
    const found = sql`${selectQrLogins(accountNickname)} WHERE ${isNamed(named)}`;
    return queryRow(this.dataSource, phoneLoginRow, found);
  }

  /** Claims the code with which a phone returns from WeChat, and the points of the try. Its value is null when there is no such scan. */
  async claim(
    named: NamedLogin | ScannedCode,
    { appid }: Pick<WechatApp, 'appid'>,
    wechatCode: string,
    tiers: readonly Tier[] | null,
  ): Promise<Reserved<PhoneArrival | null>> {
    const claim = claimSql(named, appid, sha256(`${appid}:${wechatCode}`), takeSql(tiers));
    const run = () => queryRow(this.dataSource, arrivalRow, claim);
    const row = await run().catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      return run();
    });
    const points = tiers && readTaken(tiers, row);
    if (row?.id == null) return { points, value: null };
    return { points, value: { login: row, isClaimed: row.is_claimed } };
  }

  /**
   * The phone's decision, by the scanner alone and once. Where agreeing takes the number that the PC shows, or the letters, that
   * is `typed`; the third wrong one denies. Null when there is no such scan.
   */
  async decide(
    decider: Decider,
    { decision, typed = '' }: DecisionForm,
    executor: SqlExecutor = this.dataSource,
  ): Promise<PhoneDecision | null> {
    const row = await queryRow(executor, decidedRow, decideSql(decider, decision, this.read(typed)));
    if (row === null) return null;
    const { step, decider: openid, ...login } = row;
    const of = { login, decider: openid };
    if (step === null) return { ...of, outcome: null };
    const { outcome } = steps[step];
    if (outcome === 'wrong') return { ...of, outcome };
    if (outcome === 'denied' && linkOf(login) === undefined)
      this.telemetry.signInEnded(login, 'access_denied');
    return { ...of, login: { ...login, status: outcome }, outcome };
  }

  /** Whether `typed` would confirm, as `decide` compares it; costs no try. */
  agrees({ confirmation, user_code, user_code_hash }: QrLogin, typed = ''): boolean {
    const { digits, hashes } = this.read(typed);
    const isNumber = digits !== null && digits === user_code;
    return (
      confirmation !== 'number' || isNumber || (user_code_hash !== null && hashes.includes(user_code_hash))
    );
  }

  /** The number in a text, and the hashes of the code that it may be instead. */
  private read(typed: string): TypedNumber {
    const code = readUserCode(typed);
    return { digits: readTypedNumber(typed), hashes: code === null ? [] : this.tokens.hashesOf(code) };
  }
}
