import { auditInsertSql } from '../audit/record-audit.js';
import { refusalCtes } from '../audit/refusals.js';
import { nowForEventsSql } from '../database/event-time.js';
import { followProblemSql } from './follow-offer.js';

/**
 * A device authorization: $1 id, $2 scene hash, $3 user code, $4 provider, $5 appid, $6 client, $7 redirect_uri,
 * $8 code_challenge, $9 life of the QR code in seconds, $10 ip, $11 user agent, $12 confirmation; of a link $13 user and
 * $14 session; $15 hash of the attempt's state; $16 seconds until the attempt ends, null for one without a page.
 */
export const startFollowSql = `
  INSERT INTO iam.logins (id, scene_hash, user_code, status, provider, method, appid, client_id, redirect_uri, code_challenge,
                          redeem_before, ip, user_agent, expires_at, confirmation, user_id, link_session_id, attempt_hash, attempt_ends_at)
  VALUES ($1, $2, $3, 'pending', $4, 'follow', $5, $6, $7, $8, now() + make_interval(secs => $9::int), $10, $11,
          now() + interval '1 day', $12, $13, $14, $15, now() + make_interval(secs => $16::int))
  RETURNING id`;

/**
 * What the phone shows and the browser waits for: $1 ids. Where the row can finish no scan any more, the login has failed, as
 * long as that is so.
 */
export const followsSql = `
  SELECT id, CASE WHEN problem IS NULL THEN status ELSE 'failed' END AS status, COALESCE(problem, error) AS error, provider, appid,
         openid, client_id, redirect_uri, code_challenge, attempt_hash, user_id, link_session_id, linked_identity_id, user_code,
         confirmation, number_tries, ip, user_agent, created_at, COALESCE(redeem_before > now(), false) AS is_live
  FROM iam.logins l CROSS JOIN LATERAL (SELECT ${followProblemSql('l')} AS problem) AS offer
  WHERE id = ANY ($1::uuid[]) AND method = 'follow'`;

/** As `followsSql`, without those of $2 that wait as before: ten thousand of them are not worth their bytes every second. */
export const changedFollowsSql = `
  ${followsSql}
    AND NOT (id = ANY ($2::uuid[]) AND status = 'pending' AND problem IS NULL AND COALESCE(redeem_before > now(), false))`;

/** $1 id, $2 error, $3… refusal. */
export const failFollowSql = `
  WITH failed AS (
    UPDATE iam.logins SET status = 'failed', error = $2 WHERE id = $1 AND status IN ('pending', 'confirmed') RETURNING id
  ), ${refusalCtes(3, 'failed')} SELECT id FROM failed`;

/** $1 id, $2 user, $3 new user, $4 subject to bind, $5 life of the code in seconds, $6… audit entry. */
export const authenticateFollowSql = `
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = $2, is_new_user = $3, subject = $4,
        redeem_before = now() + make_interval(secs => $5::int)
    WHERE id = $1 AND status = 'confirmed' AND link_session_id IS NULL
    RETURNING user_id, appid, openid
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql}
    FROM login WHERE i.appid = login.appid AND i.openid = login.openid AND i.follows IS NULL
  )
  ${auditInsertSql(6, { from: 'login', userId: 'login.user_id' })}`;

/**
 * A scan by which a signed-in user has linked an identity: $1 id, $2 user, $3 openid, $4 identity, $5 session, $6 appid.
 * No row: the scan is another's, was for another purpose, or is over.
 */
export const linkedFollowSql = `
  WITH login AS (
    UPDATE iam.logins SET status = 'consumed', linked_identity_id = $4
    WHERE id = $1 AND user_id = $2 AND openid = $3 AND link_session_id = $5 AND appid = $6
      AND status = 'confirmed' AND redeem_before > now()
    RETURNING id
  ), followed AS (
    UPDATE iam.identities i SET follows = true, follow_changed_at = ${nowForEventsSql} FROM login WHERE i.id = $4 AND i.follows IS NULL
  ) SELECT id FROM login`;

/** The Open Platform step that follows a confirmed scan takes it with it: $1 id. */
export const consumeFollowSql = `
  WITH consumed AS (
    UPDATE iam.logins SET status = 'consumed' WHERE id = $1 AND status = 'confirmed' AND redeem_before > now() RETURNING id
  ) SELECT id FROM consumed`;
