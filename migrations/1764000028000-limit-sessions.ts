import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * Makes room for the session that a login is about to begin, for a statement that has locked the user: ends the oldest live sessions
 * until one more is within the limits, or says that there is no room. Each statement of the function sees what was committed during
 * the wait for that lock, which the calling statement does not. A login that another request has redeemed meanwhile ends nothing.
 * `spared` is the session that the new one replaces in its browser.
 */
const makeRoom = `
  CREATE FUNCTION iam.make_room(
    for_login uuid, for_user uuid, for_client text, per_user integer, per_client integer, ends_oldest boolean, spared uuid,
    OUT has_room boolean, OUT ended uuid[]
  ) LANGUAGE plpgsql AS $$
  BEGIN
    has_room := true;
    ended := '{}';
    PERFORM 1 FROM iam.logins l
      WHERE l.id = for_login AND l.status = 'authenticated' AND l.redeem_before > now() FOR UPDATE;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    WITH live AS (
      SELECT s.id, s.client_id, s.created_at FROM iam.sessions s
      WHERE s.user_id = for_user AND s.id IS DISTINCT FROM spared
        AND s.ended_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()
    ), of_client AS (
      SELECT id, row_number() OVER (ORDER BY created_at DESC, id DESC) AS nr FROM live WHERE client_id = for_client
    ), of_user AS (
      SELECT id, row_number() OVER (ORDER BY created_at DESC, id DESC) AS nr FROM live
      WHERE NOT EXISTS (SELECT 1 FROM of_client c WHERE c.id = live.id AND c.nr >= per_client)
    )
    SELECT array(
      SELECT id FROM of_client WHERE nr >= per_client UNION ALL SELECT id FROM of_user WHERE nr >= per_user
    ) INTO ended;
    IF ends_oldest THEN
      UPDATE iam.sessions SET ended_at = clock_timestamp(), end_reason = 'session_limit'
        WHERE id = ANY (ended) AND ended_at IS NULL;
    ELSE
      has_room := ended = '{}';
      ended := '{}';
    END IF;
  END
  $$`;

/** How many sessions a user may have: see docs/decisions/0139. */
export class LimitSessions1764000028000 extends ReplicaSafeMigration {
  readonly name = 'LimitSessions1764000028000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(makeRoom);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION iam.make_room');
  }
}
