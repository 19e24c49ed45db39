import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { insertAudit, type AuditEntry } from '../audit/record-audit.js';
import { hasRow, queryRow, sql } from '../database/sql.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { loginProvenAtSql } from '../sessions/session-statements.js';
import { LAST_POLL, type QrLogin } from './qr-login.js';

const personRow = z.object({ nickname: z.string().nullable() });

/** Decisions about a login on the page on which its code was typed (RFC 8628 §3.3). */
@Injectable()
export class DeviceDecisions {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
  ) {}

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
  async approve({ id, provider, client_id: clientId }: QrLogin, signInId: string): Promise<boolean> {
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
        redeem_before = GREATEST(d.redeem_before, now() + ${LAST_POLL})
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
  async deny({ id, provider, client_id: clientId }: QrLogin): Promise<boolean> {
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
