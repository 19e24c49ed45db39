import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The clean-up finds what WeChat proved of people who were not connected to an account in time. */
export class ForgetUnboundPeople1764000046000 extends ReplicaSafeMigration {
  readonly name = 'ForgetUnboundPeople1764000046000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE INDEX logins_subject_idx ON iam.logins (redeem_before) WHERE subject IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX iam.logins_subject_idx');
  }
}
