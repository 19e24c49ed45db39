import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** Client assertions that were used, and authorization requests that clients have pushed. */
export class TakeAssertionsAndPushedRequests1764000038000 extends ReplicaSafeMigration {
  readonly name = 'TakeAssertionsAndPushedRequests1764000038000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.client_assertions (
        id text PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX client_assertions_expires_at_idx ON iam.client_assertions (expires_at)');
    await runner.query(`
      CREATE TABLE iam.pushed_requests (
        id text PRIMARY KEY,
        client_id text NOT NULL,
        parameters jsonb NOT NULL,
        used_at timestamptz,
        expires_at timestamptz NOT NULL
      )`);
    await runner.query('CREATE INDEX pushed_requests_expires_at_idx ON iam.pushed_requests (expires_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.pushed_requests');
    await runner.query('DROP TABLE iam.client_assertions');
  }
}
