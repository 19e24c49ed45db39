import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The session of a device whose QR code a mini program confirmed has the method and the app of one that began there, and confirms no other device. */
export class MarkScannedSessions1764000032000 extends ReplicaSafeMigration {
  readonly name = 'MarkScannedSessions1764000032000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.sessions ADD COLUMN by_scan boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.sessions DROP COLUMN by_scan');
  }
}
