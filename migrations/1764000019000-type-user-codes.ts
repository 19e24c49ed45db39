import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The code of RFC 8628 that a person types for a device, as a MAC: the text itself would be guessed from a plain hash. */
export class TypeUserCodes1764000019000 extends ReplicaSafeMigration {
  readonly name = 'TypeUserCodes1764000019000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE iam.logins ADD COLUMN user_code_hash text CONSTRAINT logins_user_code_hash_key UNIQUE',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE iam.logins DROP COLUMN user_code_hash');
  }
}
