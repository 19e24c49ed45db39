import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/**
 * Each generation of signing keys has an RSA pair beside its EC pair, from the first time that one is needed. A replica of an earlier
 * version does not see it.
 */
export class SignByRsa1764000034000 extends ReplicaSafeMigration {
  readonly name = 'SignByRsa1764000034000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE iam.signing_keys
        ADD COLUMN rs256_kid text CONSTRAINT signing_keys_rs256_kid_key UNIQUE,
        ADD COLUMN rs256_public_jwk jsonb,
        ADD COLUMN rs256_private_jwk text,
        ADD CONSTRAINT signing_keys_rs256_check CHECK (
          (rs256_kid IS NULL) = (rs256_public_jwk IS NULL) AND (rs256_kid IS NULL) = (rs256_private_jwk IS NULL))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE iam.signing_keys DROP COLUMN rs256_kid, DROP COLUMN rs256_public_jwk, DROP COLUMN rs256_private_jwk',
    );
  }
}
