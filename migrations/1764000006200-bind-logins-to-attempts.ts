import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** Which attempt of a browser a scan of our own page belongs to; a redirect's callback has `state_hash` for it. */
export class BindLoginsToAttempts1764000006200 extends ReplicaSafeMigration {
  readonly name = 'BindLoginsToAttempts1764000006200';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins ADD COLUMN attempt_hash text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins DROP COLUMN attempt_hash');
  }
}
