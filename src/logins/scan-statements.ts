import { auditInsertSql } from '../audit/record-audit.js';
import { inboxInsertSql, INBOX_PARAMETERS } from '../inbox/inbox-statements.js';
import { followProblemSql } from './follow-offer.js';
import { NUMBER_DIGITS, NUMBER_TRIES } from './judge-number.js';

/** How long a confirmed scan may wait for its browser, in seconds; an attempt of a page ends with the page's cookie. */
const COLLECT_SECONDS = 600;
const E = INBOX_PARAMETERS;

/**
 * A scan with its inbox row, in one statement: $1… inbox row, then scene hash, appid, openid, audit entry.
 * The first scanner owns the login: whoever waits for the row lock sees it taken. `outcome` depends on the login alone,
 * and on its row, so a delivery that comes twice is answered twice alike. An Official Account has one server URL, so the provider of
 * the login may be another than the one that the push came to. Where that one signs nobody in any more, the login ends here.
 */
export const scanSql = `
  WITH event AS (${inboxInsertSql(1)}),
  target AS (
    SELECT id, provider, status, openid, confirmation, user_id, link_session_id IS NOT NULL AS is_link,
           appid = $${E + 2} AND redeem_before > now() AND $${E + 3}::text IS NOT NULL AS is_live,
           ${followProblemSql('logins')} AS problem
    FROM iam.logins WHERE scene_hash = $${E + 1} FOR UPDATE
  ), scanned AS (
    UPDATE iam.logins l
    SET openid = $${E + 3}, scanned_at = now(),
        status = CASE WHEN l.confirmation = 'none' THEN 'confirmed' ELSE 'scanned' END,
        confirmed_at = CASE WHEN l.confirmation = 'none' THEN now() END,
        redeem_before = LEAST(GREATEST(l.redeem_before, now() + make_interval(secs => ${COLLECT_SECONDS})),
                              l.attempt_ends_at)
    FROM target t, event
    WHERE l.id = t.id AND t.status = 'pending' AND l.status = 'pending' AND t.is_live AND t.problem IS NULL
    RETURNING l.id, l.status
  ), ended AS (
    UPDATE iam.logins l SET status = 'failed', error = t.problem FROM target t, event
    WHERE l.id = t.id AND t.is_live AND t.problem IS NOT NULL
  ), verdict AS (
    SELECT t.id, t.provider, COALESCE(s.status, t.status) AS status, t.confirmation, t.is_link,
           CASE WHEN t.is_link THEN (SELECT u.nickname FROM iam.users u WHERE u.id = t.user_id) END AS nickname,
           CASE
             WHEN s.id IS NOT NULL THEN 'owned'
             WHEN NOT t.is_live OR t.problem IS NOT NULL OR t.status NOT IN ('scanned', 'confirmed', 'authenticated') THEN 'over'
             WHEN t.openid = $${E + 3} THEN 'owned'
             ELSE 'taken'
           END AS outcome
    FROM target t LEFT JOIN scanned s ON s.id = t.id
  ), audited AS (
    ${auditInsertSql(E + 4, {
      from: 'event LEFT JOIN verdict ON true',
      provider: 'verdict.provider',
      detail: `jsonb_build_object('outcome', COALESCE(verdict.outcome, 'unknown_scene'), 'login', verdict.id)`,
    })}
  )
  SELECT id, provider, status, outcome, confirmation, is_link, nickname FROM verdict`;

/**
 * A typed number with its inbox row, in one statement: $1… inbox row, then appid, openid, the number, audit entry.
 * Of several logins that wait for a number of this follower, the one that shows it is meant, else the latest. What has not as
 * many digits is no try, and one that comes after the login has ended, or at a row that signs nobody in, is told so. No row is stored when none waits. `outcome` of a repeated delivery is the stored one; null means the text is not for us.
 * `is_settled` is false for a repetition that came at once: what the first delivery did is not visible to it yet.
 */
export const answerNumberSql = `
  WITH target AS (
    SELECT id, provider, link_session_id IS NOT NULL AS is_link, CASE
             WHEN redeem_before <= now() OR ${followProblemSql('logins')} IS NOT NULL THEN 'over'
             WHEN user_code = $${E + 3} THEN 'confirmed'
             WHEN length($${E + 3}) <> ${NUMBER_DIGITS} THEN 'wrong'
             WHEN number_tries + 1 >= ${NUMBER_TRIES} THEN 'denied'
             ELSE 'wrong' END AS outcome
    FROM iam.logins
    WHERE appid = $${E + 1} AND openid = $${E + 2} AND status = 'scanned' AND confirmation = 'number'
      AND redeem_before > now() - make_interval(secs => ${COLLECT_SECONDS})
    ORDER BY redeem_before > now() DESC, user_code = $${E + 3} DESC, scanned_at DESC
    LIMIT 1 FOR UPDATE
  ), event AS (
    ${inboxInsertSql(1, {
      where: 'EXISTS (SELECT 1 FROM target)',
      result: `(SELECT jsonb_build_object('number', outcome, 'link', is_link) FROM target)`,
    })}
  ), answered AS (
    UPDATE iam.logins l
    SET number_tries = l.number_tries + CASE WHEN length($${E + 3}) = ${NUMBER_DIGITS} THEN 1 ELSE 0 END,
        status = CASE t.outcome WHEN 'wrong' THEN 'scanned' ELSE t.outcome END,
        confirmed_at = CASE t.outcome WHEN 'confirmed' THEN now() END,
        error = CASE t.outcome WHEN 'denied' THEN 'access_denied' END
    FROM target t, event
    WHERE l.id = t.id AND t.outcome <> 'over'
    RETURNING l.id, l.provider, t.outcome
  ), audited AS (
    ${auditInsertSql(E + 4, {
      from: 'answered',
      provider: 'answered.provider',
      detail: `jsonb_build_object('outcome', answered.outcome, 'login', answered.id)`,
    })}
  )
  SELECT target.id, COALESCE(e.result ->> 'number', target.outcome) AS outcome,
         COALESCE((e.result ->> 'link')::boolean, target.is_link, false) AS is_link,
         e.id IS NOT NULL OR target.id IS NULL OR EXISTS (SELECT 1 FROM event) AS is_settled
  FROM (VALUES (1)) AS one
  LEFT JOIN target ON true
  LEFT JOIN iam.webhook_events e ON e.dedupe_key = $3`;

/** The code with which a phone returns to the confirm page, once: $1 login, $2 hash. No row: it was here before. */
export const claimConfirmCodeSql = `
  WITH claimed AS (
    UPDATE iam.logins SET wechat_code_hash = $2 WHERE id = $1 AND wechat_code_hash IS DISTINCT FROM $2 RETURNING id
  ) SELECT id FROM claimed`;

/** The phone's decision: $1 login, $2 openid, $3 new status, $4 audit entry… */
export const decideSql = `
  WITH decided AS (
    UPDATE iam.logins SET status = $3, confirmed_at = CASE WHEN $3 = 'confirmed' THEN now() END,
           error = CASE WHEN $3 = 'denied' THEN 'access_denied' END
    WHERE id = $1 AND openid = $2 AND status = 'scanned' AND redeem_before > now() AND ${followProblemSql('logins')} IS NULL
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
      AND ${followProblemSql('logins')} IS NULL
    RETURNING id
  ), audited AS (
    ${auditInsertSql(5, { from: 'decided' })}
  )
  SELECT id FROM decided`;
