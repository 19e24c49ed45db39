import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { type AuditEntry, refusalCtes } from '../audit/record-audit.js';
import { IAM_DATA_SOURCE } from '../config/iam.resolved-options.js';
import { execute, hasRow, queryRow, queryRows, sql, type Sql } from '../database/sql.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import { Telemetry } from '../runtime/telemetry.service.js';
import { authenticatedCtes, type LinkedLogin } from '../sign-in/login.js';
import type { Consent, RecordResolution } from '../users/subject.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { qrLoginRow, type QrLogin, linkOf, selectQrLogins } from './qr-login.js';

/** Device authorizations (RFC 8628) with a QR code that a phone answers. */
@Injectable()
export class QrLogins {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly telemetry: Telemetry,
    private readonly tokens: LoginTokens,
  ) {}

  /** The login with this id. */
  find(loginId: string): Promise<QrLogin | null> {
    return queryRow(this.dataSource, qrLoginRow, qrLoginsSql([loginId]));
  }

  /** The login whose device shows this code, in whatever state. */
  findByCode(code: string): Promise<QrLogin | null> {
    const hashes = this.tokens.hashesOf(code);
    const latest = sql`ARRAY(
      SELECT id FROM iam.logins WHERE user_code_hash = ANY (${hashes}::text[]) ORDER BY id DESC LIMIT 1)`;
    return queryRow(this.dataSource, qrLoginRow, qrLoginsSql(latest));
  }

  /**
   * The logins with these ids, in one round trip, without those of `waiting` that are still pending and alive: ten thousand of
   * them are not worth their bytes every second. A prepared statement would compare each id with each of an array.
   */
  findChanged(loginIds: readonly string[], waiting: readonly string[]): Promise<QrLogin[]> {
    const changed = sql`${qrLoginsSql(loginIds)}
      AND NOT (id IN (SELECT unnest(${waiting}::uuid[])) AND status = 'pending' AND problem IS NULL AND COALESCE(redeem_before > now(), false))`;
    return queryRows(this.dataSource, qrLoginRow, changed);
  }

  /** Ends a login for good: WeChat gave no QR code, or the scanner may not sign in or be linked. */
  async fail(login: QrLogin, error: IamErrorCode): Promise<void> {
    const { id, provider, method, client_id: clientId } = login;
    const link = linkOf(login);
    const action = link === undefined ? 'login.failed' : 'identity.link_refused';
    const entry: AuditEntry = { ...link, action, provider, clientId, detail: { method, error } };
    const failed = sql`
      WITH failed AS (
        UPDATE iam.logins SET status = 'failed', error = ${error}, subject = NULL
        WHERE id = ${id} AND status IN ('pending', 'confirmed') RETURNING id
      ), ${refusalCtes(entry, sql`failed`)} SELECT id FROM failed`;
    await execute(this.dataSource, failed);
    if (link === undefined) this.telemetry.signInEnded({ provider, method }, error);
  }

  /** Stores which user the scanner is; as `Logins.recordOf` for a redirect sign-in. */
  recordOf(
    { id: loginId, client_id: clientId, provider, method, appid }: QrLogin,
    consent?: Consent,
  ): RecordResolution {
    const detail = { method, appid, ...(consent !== undefined && { consent }) };
    return (person) =>
      authenticatedCtes(person, {
        action: 'login.authenticated',
        clientId,
        provider,
        detail,
        loginId,
        status: 'confirmed',
        consent,
      });
  }

  /** Stores that a signed-in user has linked the scanner's identity; false when the scan is another's, was for another purpose, or is over. */
  recordLink(manager: EntityManager, linked: LinkedLogin): Promise<boolean> {
    const { loginId, userId, sessionId, appid, openid, identityId } = linked;
    const recorded = sql`
      WITH login AS (
        UPDATE iam.logins SET status = 'consumed', linked_identity_id = ${identityId}, subject = NULL
        WHERE id = ${loginId} AND user_id = ${userId} AND openid = ${openid} AND link_session_id = ${sessionId} AND appid = ${appid}
          AND status = 'confirmed' AND redeem_before > now()
        RETURNING id
      ) SELECT id FROM login`;
    return hasRow(manager, recorded);
  }

  /** Takes a confirmed login as the proof of a follow, once. */
  consume(loginId: string): Promise<boolean> {
    const consumed = sql`
      WITH consumed AS (
        UPDATE iam.logins SET status = 'consumed' WHERE id = ${loginId} AND status = 'confirmed' AND redeem_before > now() RETURNING id
      ) SELECT id FROM consumed`;
    return hasRow(this.dataSource, consumed);
  }
}

/** `ids` may be an expression. */
const qrLoginsSql = (ids: readonly string[] | Sql): Sql =>
  sql`${selectQrLogins()} WHERE id IN (SELECT unnest(${ids}::uuid[])) AND scene_hash IS NOT NULL`;
