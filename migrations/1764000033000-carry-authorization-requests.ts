import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const shared = ['scope text', 'resources text[]', 'browser_session_id uuid', 'auth_time timestamptz'];

/** What a client asked for beyond a sign-in goes with the login into its session. All null: an ordinary sign-in of a first-party client. */
export class CarryAuthorizationRequests1764000033000 extends ReplicaSafeMigration {
  readonly name = 'CarryAuthorizationRequests1764000033000';

  protected async apply(runner: QueryRunner): Promise<void> {
    const columns = { logins: [...shared, 'nonce text'], sessions: shared };
    for (const [table, added] of Object.entries(columns))
      await runner.query(
        `ALTER TABLE iam.${table} ${added.map((column) => `ADD COLUMN ${column}`).join(', ')}`,
      );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE iam.logins DROP COLUMN scope, DROP COLUMN nonce, DROP COLUMN resources, DROP COLUMN browser_session_id, DROP COLUMN auth_time',
    );
    await runner.query(
      'ALTER TABLE iam.sessions DROP COLUMN scope, DROP COLUMN resources, DROP COLUMN browser_session_id, DROP COLUMN auth_time',
    );
  }
}
