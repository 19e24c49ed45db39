import { auditInsertSql } from '../audit/record-audit.js';
import { inboxInsertSql, INBOX_PARAMETERS } from '../inbox/inbox-statements.js';

/** How long a confirmed scan may wait for its browser, in seconds. */
const COLLECT_SECONDS = 600;
const E = INBOX_PARAMETERS;

/**
 * A device authorization: $1 id, $2 scene hash, $3 user code, $4 provider, $5 appid, $6 client, $7 redirect_uri,
 * $8 code_challenge, $9 life of the QR code in seconds, $10 ip, $11 user agent, $12 confirmation.
 */
export const startFollowSql = `
  INSERT INTO iam.logins (id, scene_hash, user_code, status, provider, method, appid, client_id, redirect_uri, code_challenge,
                          redeem_before, ip, user_agent, expires_at, confirmation)
  VALUES ($1, $2, $3, 'pending', $4, 'follow', $5, $6, $7, $8, now() + make_interval(secs => $9::int), $10, $11,
          now() + interval '1 day', $12)
  RETURNING id`;

/**
 * A scan with its inbox row, in one statement: $1… inbox row, then scene hash, appid, openid, audit entry.
 * The first scanner owns the login: whoever waits for the row lock sees it taken. `outcome` depends on the login alone,
 * so a delivery that comes twice is answered twice alike. An Official Account has one server URL, so the provider of the
 * login may be another than the one that the push came to.
 */
export const scanSql = `
  WITH event AS (${inboxInsertSql(1)}),
  target AS (
    SELECT id, provider, status, openid, confirmation, appid = $${E + 2} AND redeem_before > now() AS is_live
    FROM iam.logins WHERE scene_hash = $${E + 1} FOR UPDATE
  ), scanned AS (
    UPDATE iam.logins l
    SET openid = $${E + 3}, scanned_at = now(),
        status = CASE WHEN l.confirmation = 'none' THEN 'confirmed' ELSE 'scanned' END,
        confirmed_at = CASE WHEN l.confirmation = 'none' THEN now() END,
        redeem_before = GREATEST(l.redeem_before, now() + make_interval(secs => ${COLLECT_SECONDS}))
    FROM target t, event
    WHERE l.id = t.id AND t.status = 'pending' AND l.status = 'pending' AND t.is_live
    RETURNING l.id, l.status
  ), verdict AS (
    SELECT t.id, t.provider, COALESCE(s.status, t.status) AS status, t.confirmation,
           CASE
             WHEN s.id IS NOT NULL THEN 'owned'
             WHEN NOT t.is_live OR t.status NOT IN ('scanned', 'confirmed', 'authenticated') THEN 'over'
             WHEN t.openid = $${E + 3} THEN 'owned'
             ELSE 'taken'
           END AS outcome
    FROM target t LEFT JOIN scanned s ON s.id = t.id
  ), audited AS (
    ${auditInsertSql(E + 4, {
      from: `event, verdict WHERE verdict.outcome = 'taken' OR EXISTS (SELECT 1 FROM scanned)`,
      provider: 'verdict.provider',
    })}
  )
  SELECT id, provider, status, outcome, confirmation FROM verdict`;

/** The login whose number this follower is asked for, at any row of the account: $1 appid, $2 openid. */
export const numberTargetSql = `
  SELECT id, provider, user_code, number_tries FROM iam.logins
  WHERE appid = $1 AND openid = $2 AND status = 'scanned' AND confirmation = 'number' AND redeem_before > now()
  ORDER BY scanned_at DESC LIMIT 1`;

/**
 * A typed number with its inbox row: $1… inbox row, then login, tries known, new status, audit entry.
 * Yields the stored result, which is the earlier one when the delivery is a repetition.
 */
export const answerNumberSql = `
  WITH event AS (${inboxInsertSql(1)}),
  answered AS (
    UPDATE iam.logins l
    SET number_tries = l.number_tries + 1, status = $${E + 3},
        confirmed_at = CASE WHEN $${E + 3} = 'confirmed' THEN now() END
    FROM event
    WHERE l.id = $${E + 1} AND l.status = 'scanned' AND l.number_tries = $${E + 2}
    RETURNING l.id
  ), audited AS (
    ${auditInsertSql(E + 4, { from: 'answered' })}
  )
  SELECT COALESCE($9::jsonb, e.result) AS result, EXISTS (SELECT 1 FROM event) AS is_first
  FROM (VALUES (1)) AS one LEFT JOIN iam.webhook_events e ON e.dedupe_key = $3`;

/** The phone's decision: $1 login, $2 openid, $3 new status, $4 audit entry… */
export const decideSql = `
  WITH decided AS (
    UPDATE iam.logins SET status = $3, confirmed_at = CASE WHEN $3 = 'confirmed' THEN now() END,
           error = CASE WHEN $3 = 'denied' THEN 'access_denied' END
    WHERE id = $1 AND openid = $2 AND status = 'scanned' AND redeem_before > now()
    RETURNING id
  ), audited AS (
    ${auditInsertSql(4, { from: 'decided' })}
  )
  SELECT id FROM decided`;

/**
 * A number typed on the confirm page: $1 login, $2 openid, $3 tries known, $4 new status, $5 audit entry… Of numbers sent
 * at once only one finds the tries as they were known, so nobody gets more of them by haste.
 */
export const decideByNumberSql = `
  WITH decided AS (
    UPDATE iam.logins SET number_tries = number_tries + 1, status = $4,
           confirmed_at = CASE WHEN $4 = 'confirmed' THEN now() END,
           error = CASE WHEN $4 = 'denied' THEN 'access_denied' END
    WHERE id = $1 AND openid = $2 AND number_tries = $3 AND status = 'scanned' AND redeem_before > now()
    RETURNING id
  ), audited AS (
    ${auditInsertSql(5, { from: 'decided' })}
  )
  SELECT id FROM decided`;

/** What the phone shows and the browser waits for: $1 ids. */
export const followsSql = `
  SELECT id, status, error, provider, appid, openid, client_id, redirect_uri, code_challenge, user_code, confirmation,
         number_tries, ip, user_agent, created_at, COALESCE(redeem_before > now(), false) AS is_live
  FROM iam.logins WHERE id = ANY ($1::uuid[]) AND method = 'follow'`;

/** As `followsSql`, without those of $2 that wait as before: ten thousand of them are not worth their bytes every second. */
export const changedFollowsSql = `
  ${followsSql} AND NOT (id = ANY ($2::uuid[]) AND status = 'pending' AND COALESCE(redeem_before > now(), false))`;

/** $1 id, $2 error. */
export const failFollowSql = `
  WITH failed AS (UPDATE iam.logins SET status = 'failed', error = $2 WHERE id = $1 AND status = 'pending' RETURNING id)
  SELECT id FROM failed`;

/** $1 id, $2 user, $3 new user, $4 subject to bind, $5 life of the code in seconds, $6… audit entry. */
export const authenticateFollowSql = `
  WITH login AS (
    UPDATE iam.logins
    SET status = 'authenticated', user_id = $2, is_new_user = $3, subject = $4,
        redeem_before = now() + make_interval(secs => $5::int)
    WHERE id = $1 AND status = 'confirmed'
    RETURNING user_id
  )
  ${auditInsertSql(6, { from: 'login', userId: 'login.user_id' })}`;

/** The Open Platform step that follows a confirmed scan takes it with it: $1 id. */
export const consumeFollowSql = `
  WITH consumed AS (
    UPDATE iam.logins SET status = 'consumed' WHERE id = $1 AND status = 'confirmed' AND redeem_before > now() RETURNING id
  ) SELECT id FROM consumed`;
