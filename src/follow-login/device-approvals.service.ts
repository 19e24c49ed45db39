import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { queryRow, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { loginProvenAtSql } from '../sessions/session-statements.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { followLoginRow, type FollowLogin } from './follow-login.js';
import { followsSql } from './follow-logins.service.js';
import { UserCodes } from './codes-and-tokens.service.js';

/** A device that polls for the last time just before its code expires still finds what was confirmed in that second. */
const COLLECT_SECONDS = 60;

const idRow = z.object({ id: z.string() });
const personRow = z.object({ nickname: z.string().nullable() });

/** Answers device authorizations from the page on which their code is typed (RFC 8628 §3.3). */
@Injectable()
export class DeviceApprovals {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly userCodes: UserCodes,
    private readonly telemetry: Telemetry,
  ) {}

  /** The login whose device shows this code, whatever became of it. */
  async findByCode(code: string): Promise<FollowLogin | null> {
    const hashes = this.userCodes.hashesOf(code);
    const latest = sql`ARRAY(
      SELECT id FROM iam.logins WHERE user_code_hash = ANY (${hashes}::text[]) ORDER BY id DESC LIMIT 1)`;
    return queryRow(this.dataSource, followLoginRow, followsSql(latest));
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

  /** Ends the device authorization: whoever typed its code did not start it. */
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
