import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** When the page that shows a QR code gives up: a scan that is confirmed later would end nowhere. */
export class EndScansWithAttempts1764000009200 extends ReplicaSafeMigration {
  readonly name = 'EndScansWithAttempts1764000009200';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins ADD COLUMN attempt_ends_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins DROP COLUMN attempt_ends_at');
  }
}
