import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * Whatever ends a session of an application with a back-channel address, or erases it before its time, leaves a message in the same
 * transaction. A session that expires has not ended.
 */
const tell = `
  CREATE FUNCTION iam.tell_of_sign_out() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO iam.backchannel_logouts (id, client_id, session_id, user_id)
      SELECT iam.audit_id(), c.id, OLD.id, OLD.user_id FROM iam.clients c
      WHERE c.id = OLD.client_id AND c.backchannel_logout_uri IS NOT NULL;
    RETURN NULL;
  END
  $$`;

/** Back-channel logout: see docs/decisions/0155. */
export class TellOfSignOuts1764000036000 extends ReplicaSafeMigration {
  readonly name = 'TellOfSignOuts1764000036000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.backchannel_logouts (
        id uuid PRIMARY KEY,
        client_id text NOT NULL,
        session_id uuid NOT NULL,
        user_id uuid NOT NULL,
        status text NOT NULL DEFAULT 'pending',
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        lease_token uuid,
        last_error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT backchannel_logouts_status_check CHECK (status IN ('pending', 'dead'))
      )`);
    await runner.query(
      "CREATE INDEX backchannel_logouts_due_idx ON iam.backchannel_logouts (due_at) WHERE status = 'pending'",
    );
    await runner.query('CREATE INDEX backchannel_logouts_status_idx ON iam.backchannel_logouts (status, id)');
    await runner.query(tell);
    await runner.query(`
      CREATE TRIGGER sessions_tell_of_end AFTER UPDATE OF ended_at ON iam.sessions
        FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
        EXECUTE FUNCTION iam.tell_of_sign_out()`);
    await runner.query(`
      CREATE TRIGGER sessions_tell_of_erasure AFTER DELETE ON iam.sessions
        FOR EACH ROW WHEN (OLD.ended_at IS NULL AND OLD.expires_at > now())
        EXECUTE FUNCTION iam.tell_of_sign_out()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER sessions_tell_of_erasure ON iam.sessions');
    await runner.query('DROP TRIGGER sessions_tell_of_end ON iam.sessions');
    await runner.query('DROP FUNCTION iam.tell_of_sign_out');
    await runner.query('DROP TABLE iam.backchannel_logouts');
  }
}
