import { insertAudit, type AuditEntry, refusalCtes } from '../audit/record-audit.js';
import { nowForEventsSql } from '../database/sql-fragments.js';
import { sql, type Sql } from '../database/sql.js';
import type { RequestOrigin } from '../runtime/request-context.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import { followProblemSql } from './follow-offer.js';
import type { ProvenPerson } from '../sign-in/login-start.js';
import type { LinkedLogin } from '../sign-in/login-statements.js';

/** A device authorization to store. */
export interface NewFollow {
  readonly loginId: string;
  readonly sceneHash: string;
  readonly userCode: string;
  /** Only of a device authorization whose code may be typed. */
  readonly userCodeHash: string | null;
  readonly provider: string;
  readonly appid: string;
  readonly clientId: string;
  readonly redirectUri?: string;
  readonly codeChallenge?: string;
  /** Life of the QR code in seconds. */
  readonly seconds: number;
  readonly confirmation: string;
  /** Hash of the attempt's state. */
  readonly attemptHash?: string;
  /** Seconds until the attempt ends; none for one without a page. */
  readonly attemptSeconds?: number;
  readonly link?: ActingSession | undefined;
  readonly origin: RequestOrigin;
}

/** Stores a device authorization. */
export const startFollowSql = (start: NewFollow): Sql => sql`
  INSERT INTO iam.logins (id, scene_hash, user_code, status, provider, method, appid, client_id, redirect_uri, code_challenge,
                          redeem_before, ip, user_agent, expires_at, confirmation, user_id, link_session_id, attempt_hash, attempt_ends_at, user_code_hash)
  VALUES (${start.loginId}, ${start.sceneHash}, ${start.userCode}, 'pending', ${start.provider}, 'follow', ${start.appid},
          ${start.clientId}, ${start.redirectUri ?? null}, ${start.codeChallenge ?? null},
          now() + make_interval(secs => ${start.seconds}::int), ${start.origin.ip}, ${start.origin.userAgent},
          now() + interval '1 day', ${start.confirmation}, ${start.link?.userId ?? null}, ${start.link?.sessionId ?? null},
          ${start.attemptHash ?? null}, now() + make_interval(secs => ${start.attemptSeconds ?? null}::int), ${start.userCodeHash})
  RETURNING id`;

/** What the phone shows and the browser waits for; `ids` may be an expression. Where the row can finish no scan any more, the login has failed, as long as that is so. */
export const followsSql = (ids: readonly string[] | Sql): Sql => sql`
  SELECT id, CASE WHEN problem IS NULL THEN status ELSE 'failed' END AS status, COALESCE(problem, error) AS error, provider, appid,
         openid, client_id, redirect_uri, code_challenge, attempt_hash, user_id, link_session_id, linked_identity_id, user_code, user_code_hash,
         confirmation, number_tries, ip, user_agent, created_at, COALESCE(redeem_before > now(), false) AS is_live
  FROM iam.logins l CROSS JOIN LATERAL (SELECT ${followProblemSql('l')} AS problem) AS offer
  WHERE id = ANY (${ids}::uuid[]) AND scene_hash IS NOT NULL`;

/** As `followsSql`, without those that wait as before: ten thousand of them are not worth their bytes every second. */
export const changedFollowsSql = (ids: readonly string[], waiting: readonly string[]): Sql => sql`
  ${followsSql(ids)}
    AND NOT (id = ANY (${waiting}::uuid[]) AND status = 'pending' AND problem IS NULL AND COALESCE(redeem_before > now(), false))`;

/** Ends a login that got no QR code, or whose follower may not sign in. */
export const failFollowSql = (loginId: string, error: string, refusal: AuditEntry): Sql => sql`
  WITH failed AS (
    UPDATE iam.logins SET status = 'failed', error = ${error} WHERE id = ${loginId} AND status IN ('pending', 'confirmed') RETURNING id
  ), ${refusalCtes(refusal, sql`failed`)} SELECT id FROM failed`;

/** Stores whom the follower is; the code lives for so many seconds. */
export const authenticateFollowSql = (
  loginId: string,
  person: ProvenPerson,
  codeSeconds: number,
  entry: AuditEntry,
): Sql => sql`
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = ${person.userId}, is_new_user = ${person.isNewUser}, subject = ${person.subject},
        redeem_before = now() + make_interval(secs => ${codeSeconds}::int)
    WHERE id = ${loginId} AND status = 'confirmed' AND link_session_id IS NULL
    RETURNING user_id, appid, openid
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql}
    FROM login WHERE i.appid = login.appid AND i.openid = login.openid AND i.follows IS NULL
  )
  ${insertAudit(entry, { from: sql`login`, userId: sql`login.user_id` })}`;

/** A scan by which a signed-in user has linked an identity. No row: the scan is another's, was for another purpose, or is over. */
export const linkedFollowSql = ({
  loginId,
  userId,
  openid,
  identityId,
  sessionId,
  appid,
}: LinkedLogin & { readonly sessionId: string; readonly appid: string }): Sql => sql`
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', linked_identity_id = ${identityId}
    WHERE id = ${loginId} AND user_id = ${userId} AND openid = ${openid} AND link_session_id = ${sessionId} AND appid = ${appid}
      AND status = 'confirmed' AND redeem_before > now()
    RETURNING id
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql} FROM login WHERE i.id = ${identityId} AND i.follows IS NULL
  ) SELECT id FROM login`;

/** The Open Platform step that follows a confirmed scan takes it with it. */
export const consumeFollowSql = (loginId: string): Sql => sql`
  WITH consumed AS (
    UPDATE iam.logins SET status = 'consumed' WHERE id = ${loginId} AND status = 'confirmed' AND redeem_before > now() RETURNING id
  ) SELECT id FROM consumed`;
