import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../../audit/record-audit.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../../config/iam.resolved-options.js';
import { sha256 } from '../../crypto/hash.js';
import { queryRow, sql, type Sql } from '../../database/sql.js';
import type { Refund } from '../../sign-in/failure-limits.service.js';
import { freshProfileSql, type SoughtSubject } from '../../users/subject.js';
import {
  accountNickname,
  type PhoneLogin,
  phoneLoginRow,
  type ScannedCode,
} from '../phone-logins.service.js';
import { COLLECT, selectQrLogins } from '../qr-login.js';

const known = z.object({ identity_user_id: z.string().nullable(), profile_is_fresh: z.boolean() });
const claimedRow = phoneLoginRow.extend({ outcome: z.enum(['owned', 'taken', 'over']) }).extend(known.shape);
const claimRow = z.union([claimedRow, known.extend({ id: z.null() })]);

/** A scan and its login. `owned`: this person is the first scanner. `taken`: another one is. `over`: too late, or no such login. */
export interface ScanClaim extends z.infer<typeof known> {
  readonly login: PhoneLogin | null;
  readonly outcome: 'owned' | 'taken' | 'over';
}

/**
 * Makes the person whom WeChat has proved the scanner of a login. Who comes first owns it: a scan that waits for the row lock finds it
 * taken. The same person gets the same again. It says too whether the profile of the owner is to be read.
 */
const claimSql = (
  code: ScannedCode,
  { appid, openid }: SoughtSubject,
  { freshness, refund }: { readonly freshness: number; readonly refund: Refund },
  entry: AuditEntry,
): Sql => sql`
  WITH target AS (
    ${selectQrLogins(accountNickname)}
    WHERE scene_hash = ${sha256(code.scene)} AND provider = ${code.provider} AND method = 'page' AND appid = ${appid} FOR UPDATE OF l
  ), scanned AS (
    UPDATE iam.logins l
    SET openid = ${openid}, scanned_at = now(), status = 'scanned',
        redeem_before = LEAST(GREATEST(l.redeem_before, now() + ${COLLECT}), l.attempt_ends_at)
    FROM target t WHERE l.id = t.id AND t.status = 'pending' AND t.is_live
    RETURNING l.id
  ), verdict AS (
    SELECT t.id, t.provider, s.id IS NOT NULL AS is_new, CASE
             WHEN s.id IS NOT NULL OR t.openid = ${openid} THEN 'owned'
             WHEN t.is_live AND t.status IN ('scanned', 'confirmed', 'authenticated') THEN 'taken'
             ELSE 'over' END AS outcome
    FROM target t LEFT JOIN scanned s ON s.id = t.id
  ), audited AS (
    ${insertAudit(entry, {
      from: sql`verdict`,
      provider: sql`verdict.provider`,
      detail: sql`jsonb_build_object('outcome', verdict.outcome, 'login', verdict.id)`,
    })}
  )${refund.ctes(sql`verdict`)}
  SELECT t.*, CASE WHEN v.is_new THEN ${openid} ELSE t.openid END AS openid, CASE WHEN v.is_new THEN 'scanned' ELSE t.status END AS status,
         v.outcome, i.user_id AS identity_user_id, ${freshProfileSql(freshness)} AS profile_is_fresh
  FROM (VALUES (1)) AS one
  LEFT JOIN (target t JOIN verdict v ON v.id = t.id) ON true
  LEFT JOIN iam.identities i ON i.appid = ${appid} AND i.openid = ${openid}`;

/** The effect of a scan on its login, once WeChat has proved who has scanned. */
@Injectable()
export class ScanClaims {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  /** One round trip. */
  async claim(code: ScannedCode, scanner: SoughtSubject, refund: Refund): Promise<ScanClaim> {
    const { profileFreshness: freshness } = this.options;
    const entry: AuditEntry = { action: 'login.scanned', detail: { openid: scanner.openid } };
    const row = await queryRow(
      this.dataSource,
      claimRow,
      claimSql(code, scanner, { freshness, refund }, entry),
    );
    if (row === null) throw new Error('a VALUES row is always there');
    if (row.id === null)
      return { identity_user_id: null, profile_is_fresh: true, login: null, outcome: 'over' };
    refund.isDone = true;
    const { outcome, identity_user_id, profile_is_fresh, ...login } = row;
    const isUnread = outcome === 'owned' && !profile_is_fresh;
    return { login, outcome, identity_user_id, profile_is_fresh: !isUnread };
  }
}
