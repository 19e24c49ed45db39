/** Seconds that a replica stays the one that delivers without saying so again. */
export const LEASE_SECONDS = 30;

const SINK = `'host'`;
const lease = `lease_until = now() + interval '${LEASE_SECONDS} seconds'`;
/** How long entries are kept for a sink that no replica has any more. */
const subscription = `now() + interval '7 days'`;

/** From now on entries are kept for the sink. */
export const subscribeSql = `
  /* background */ INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES (${SINK}, ${subscription})
  ON CONFLICT DO NOTHING`;

/**
 * Takes or keeps the lease and reads what is due, committed entries only: $1 lease token, $2 most entries. No row where another
 * replica has the lease, or nothing is due.
 */
export const takeSql = `
  /* background */ WITH lease AS (
    UPDATE iam.audit_delivery SET lease_token = $1, ${lease}, subscribed_until = ${subscription}
    WHERE sink = ${SINK} AND (lease_token = $1 OR lease_until <= now())
    RETURNING sink
  ), due AS (
    SELECT o.id FROM iam.audit_outbox o, lease ORDER BY o.id LIMIT $2
  )
  SELECT a.id, a.at, a.action, a.user_id, a.session_id, a.client_id, a.provider, a.ip, a.user_agent, a.actor,
         a.correlation_id, a.detail
  FROM due JOIN iam.audit_log a USING (id) ORDER BY a.id`;

/** $1 lease token: the sink is still busy. */
export const renewSql = `
  /* background */ UPDATE iam.audit_delivery SET ${lease} WHERE sink = ${SINK} AND lease_token = $1`;

/** $1 lease token: another replica may go on at once. */
export const releaseSql = `
  /* background */ UPDATE iam.audit_delivery SET lease_until = now() WHERE sink = ${SINK} AND lease_token = $1`;

/** $1 ids of entries that the sink has. */
export const deliveredSql = `/* background */ DELETE FROM iam.audit_outbox WHERE id = ANY ($1::uuid[])`;
