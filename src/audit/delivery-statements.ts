import { sql, type Sql } from '../database/sql.js';

/** Seconds that a replica stays the one that delivers without saying so again. */
export const LEASE_SECONDS = 30;

const SINK = sql`'host'`;
const lease = sql`lease_until = now() + make_interval(secs => ${LEASE_SECONDS}::int)`;
/** How long entries are kept for a sink that no replica has any more. */
const subscription = sql`now() + interval '7 days'`;

/** From now on entries are kept for the sink. */
export const subscribeSql = sql`
  /* background */ INSERT INTO iam.audit_delivery (sink, subscribed_until) VALUES (${SINK}, ${subscription})
  ON CONFLICT DO NOTHING`;

/** Takes or keeps the lease and reads what is due, committed entries only. No row where another replica has the lease, or nothing is due. */
export const takeSql = (leaseToken: string, most: number): Sql => sql`
  /* background */ WITH lease AS (
    UPDATE iam.audit_delivery SET lease_token = ${leaseToken}, ${lease}, subscribed_until = ${subscription}
    WHERE sink = ${SINK} AND (lease_token = ${leaseToken} OR lease_until <= now())
    RETURNING sink
  ), due AS (
    SELECT o.id FROM iam.audit_outbox o, lease ORDER BY o.id LIMIT ${most}
  )
  SELECT a.id, a.at, a.action, a.user_id, a.session_id, a.client_id, a.provider, a.ip, a.user_agent, a.actor,
         a.correlation_id, a.detail
  FROM due JOIN iam.audit_log a USING (id) ORDER BY a.id`;

/** The sink is still busy. */
export const renewSql = (leaseToken: string): Sql => sql`
  /* background */ UPDATE iam.audit_delivery SET ${lease} WHERE sink = ${SINK} AND lease_token = ${leaseToken}`;

/** Another replica may go on at once. */
export const releaseSql = (leaseToken: string): Sql => sql`
  /* background */ UPDATE iam.audit_delivery SET lease_until = now() WHERE sink = ${SINK} AND lease_token = ${leaseToken}`;

/** The sink has these entries. */
export const deliveredSql = (ids: readonly string[]): Sql =>
  sql`/* background */ DELETE FROM iam.audit_outbox WHERE id = ANY (${ids}::uuid[])`;
