import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The function of 1764000036000; `since`: which sessions of the client it tells of. */
const tell = (since: string) => `
  CREATE OR REPLACE FUNCTION iam.tell_of_sign_out() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO iam.backchannel_logouts (id, client_id, session_id, user_id)
      SELECT iam.audit_id(), c.id, OLD.id, OLD.user_id FROM iam.clients c
      WHERE c.id = OLD.client_id AND c.backchannel_logout_uri IS NOT NULL${since};
    RETURN NULL;
  END
  $$`;

const index = (columns: string) =>
  `CREATE INDEX backchannel_logouts_due_idx ON iam.backchannel_logouts (${columns}) WHERE status = 'pending'`;

/**
 * An application whose server has been silent for long has thousands of messages that are older than those of all others, which must
 * not wait behind them. And an application is not told of people who signed in to an earlier one with its id.
 */
export class SendInTurns1764000037000 extends ReplicaSafeMigration {
  readonly name = 'SendInTurns1764000037000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX iam.backchannel_logouts_due_idx');
    await runner.query(index('client_id, due_at'));
    await runner.query(tell(' AND c.created_at <= OLD.created_at'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(tell(''));
    await runner.query('DROP INDEX iam.backchannel_logouts_due_idx');
    await runner.query(index('due_at'));
  }
}
