import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  // What a scan alone has confirmed is not linked and not bound; a code that still waits for its scan asks from now on.
  `UPDATE iam.logins SET status = 'failed', error = 'login_interrupted', redeem_before = now(), subject = NULL
   WHERE confirmation = 'none' AND ((link_session_id IS NOT NULL AND status = 'confirmed') OR status = 'binding')`,
  `UPDATE iam.logins SET confirmation = 'tap' WHERE confirmation = 'none' AND link_session_id IS NOT NULL`,
  `ALTER TABLE iam.logins ADD CONSTRAINT logins_asked_check
     CHECK (confirmation IS DISTINCT FROM 'none' OR (link_session_id IS NULL AND status <> 'binding'))`,
];

/** `qr_confirmation = none` is for signing in: a scan that links or binds an identity is asked about on the phone. */
export class AskBeforeLinking1764000009000 extends ReplicaSafeMigration {
  readonly name = 'AskBeforeLinking1764000009000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins DROP CONSTRAINT logins_asked_check');
  }
}
