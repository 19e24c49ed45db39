import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The session keys of mini programs whose provider row asks to keep them. */
export class KeepSessionKeys1764000030000 extends ReplicaSafeMigration {
  readonly name = 'KeepSessionKeys1764000030000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE iam.identity_providers ADD COLUMN mini_session_keys boolean NOT NULL DEFAULT false',
    );
    await runner.query(`
      CREATE TABLE iam.mini_session_keys (
        appid text NOT NULL,
        openid text NOT NULL,
        session_key text NOT NULL,
        claimed_at timestamptz NOT NULL,
        PRIMARY KEY (appid, openid),
        CONSTRAINT mini_session_keys_identity_fkey
          FOREIGN KEY (appid, openid) REFERENCES iam.identities (appid, openid) ON DELETE CASCADE
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.mini_session_keys');
    await runner.query('ALTER TABLE iam.identity_providers DROP COLUMN mini_session_keys');
  }
}
