import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statusCheck = (statuses: string) =>
  `ALTER TABLE iam.logins DROP CONSTRAINT logins_status_check,
     ADD CONSTRAINT logins_status_check CHECK (status IN (${statuses}))`;

const redirectStatuses = `'pending', 'authenticated', 'binding', 'consumed', 'denied', 'failed', 'expired'`;

/** Follow-to-login: what a scan adds to a login, and the counters of rate limits. */
export class AddFollowLogins1764000002000 extends ReplicaSafeMigration {
  readonly name = 'AddFollowLogins1764000002000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(statusCheck(`${redirectStatuses}, 'scanned', 'confirmed'`));
    await runner.query(`ALTER TABLE iam.logins
      ADD COLUMN scene_hash text CONSTRAINT logins_scene_hash_key UNIQUE,
      ADD COLUMN user_code text,
      ADD COLUMN confirmation text CONSTRAINT logins_confirmation_check CHECK (confirmation IN ('tap', 'number', 'none')),
      ADD COLUMN number_tries integer NOT NULL DEFAULT 0,
      ADD COLUMN scanned_at timestamptz,
      ADD COLUMN confirmed_at timestamptz`);
    await runner.query(
      `CREATE INDEX logins_scanner_idx ON iam.logins (openid, provider) WHERE status = 'scanned'`,
    );
    await runner.query(`CREATE TABLE iam.rate_limits (
      key text PRIMARY KEY,
      points integer NOT NULL DEFAULT 0,
      expire bigint
    )`);
    await runner.query('CREATE INDEX rate_limits_expire_idx ON iam.rate_limits (expire)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.rate_limits');
    await runner.query(`DELETE FROM iam.logins WHERE status IN ('scanned', 'confirmed')`);
    await runner.query(statusCheck(redirectStatuses));
    await runner.query(`ALTER TABLE iam.logins DROP COLUMN scene_hash, DROP COLUMN user_code, DROP COLUMN confirmation,
      DROP COLUMN number_tries, DROP COLUMN scanned_at, DROP COLUMN confirmed_at`);
  }
}
