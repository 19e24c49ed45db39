import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  `ALTER TABLE iam.identities ADD COLUMN withdrawn_at timestamptz`,
  // A withdrawal ends the live sessions of one person to one app, among millions of others.
  `CREATE INDEX sessions_live_openid_idx ON iam.sessions (openid) WHERE ended_at IS NULL`,
];

/** What WeChat withdraws acts on what was proven before it. */
export class WithdrawAsOfThen1764000008000 extends ReplicaSafeMigration {
  readonly name = 'WithdrawAsOfThen1764000008000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX iam.sessions_live_openid_idx');
    await runner.query('ALTER TABLE iam.identities DROP COLUMN withdrawn_at');
  }
}
