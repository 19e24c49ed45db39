import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import type { AuditEntry } from '../audit/record-audit.js';
import { sha256 } from '../crypto/hash.js';
import { isUniqueViolation } from '../database/database-errors.js';
import { queryRow } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import type { InboxEvent } from '../webhook/inbox/webhook-event.entity.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { DeviceApprovals } from './device-approvals.service.js';
import {
  checkUserCode,
  type EnteredUserCode,
  type Judgement,
  NUMBER_DIGITS,
  readTypedNumber,
  readUserCode,
  UserCodes,
} from './codes-and-tokens.service.js';
import { linkOf, type FollowLogin } from './follow-login.js';
import { answerNumberSql, claimConfirmCodeSql, decideSql, scanSql } from './scan-statements.js';

/** What a scan did. `owned`: this follower is the first scanner. `taken`: somebody else is. `over`: too late. */
export interface ScanOutcome {
  readonly loginId: string;
  /** The row at which the login was started. */
  readonly provider: string;
  readonly outcome: 'owned' | 'taken' | 'over';
  readonly status: string;
  readonly confirmation: 'tap' | 'number' | 'none';
  /** The account that the scanner is to be linked to; null for a sign-in. */
  readonly link: { readonly nickname: string | null } | null;
}

const scanRow = z.object({
  id: z.string(),
  provider: z.string(),
  status: z.string(),
  outcome: z.enum(['owned', 'taken', 'over']),
  confirmation: z.enum(['tap', 'number', 'none']),
  is_link: z.boolean(),
  nickname: z.string().nullable(),
});
const idRow = z.object({ id: z.string() });
const numberRow = z.object({
  id: z.string().nullable(),
  outcome: z.enum(['confirmed', 'wrong', 'denied', 'over']).nullable(),
  is_link: z.boolean(),
  is_settled: z.boolean(),
});

/** What phones do to device authorizations: scan, type a number, confirm, decline. */
@Injectable()
export class FollowScans {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly devices: DeviceApprovals,
    private readonly userCodes: UserCodes,
  ) {}

  /** Records a scan at an Official Account together with its inbox row: one round trip. Null: no login has this scene. */
  async scan(appid: string, scene: string, event: InboxEvent): Promise<ScanOutcome | null> {
    const entry: AuditEntry = { action: 'login.scanned', detail: { openid: event.openid } };
    const row = await queryRow(this.dataSource, scanRow, scanSql(sha256(scene), { appid, event }, entry));
    if (row === null) return null;
    const { id: loginId, is_link: isLink, nickname, ...outcome } = row;
    return { loginId, link: isLink ? { nickname } : null, ...outcome };
  }

  /** Takes a typed number for the login that this follower scanned: one round trip. Null: the text is not for us. */
  async answerNumber(appid: string, text: string, event: InboxEvent): Promise<EnteredUserCode | null> {
    const digits = readTypedNumber(text) ?? (await this.numberBehind(text));
    if (digits === null) return null;
    const entry: AuditEntry = { action: 'login.number_typed', detail: { openid: event.openid } };
    const answer = () =>
      queryRow(this.dataSource, numberRow, answerNumberSql(digits, { appid, event }, entry));
    const first = await answer();
    const row = first?.is_settled === false ? await answer() : first;
    if (row?.outcome == null) return null;
    return { loginId: row.id, outcome: row.outcome, isLink: row.is_link };
  }

  /** The number of the login whose letters were typed in its place; of letters that are none, no digits: a try that costs none. */
  private async numberBehind(text: string): Promise<string | null> {
    const code = readUserCode(text);
    if (code === null) return null;
    return (await this.devices.findByCode(code))?.user_code ?? '';
  }

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
  async decideByNumber(login: FollowLogin, openid: string, text: string): Promise<Judgement> {
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
}

type Step = 'confirmed' | 'denied' | `number_${Judgement}`;

/** Whoever says no to a link refuses that link; all else is a step of a login. */
function auditOfDecision(
  login: FollowLogin,
  openid: string,
  { decision, step }: { readonly decision: Judgement; readonly step: Step },
): AuditEntry {
  const { provider } = login;
  const link = linkOf(login);
  if (link === undefined || decision !== 'denied')
    return { ...link, action: `login.${step}`, provider, detail: { openid } };
  const detail = { openid, method: 'follow', error: 'access_denied' };
  return { ...link, action: 'identity.link_refused', provider, detail };
}

/** The code belongs to another login, e.g. to a sign-in by redirect. */
function takenElsewhere(error: unknown): false {
  if (isUniqueViolation(error)) return false;
  throw error;
}
