import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** What people let applications of third parties have, and the secret of the subject identifiers that these get. */
export class AskForConsent1764000043000 extends ReplicaSafeMigration {
  readonly name = 'AskForConsent1764000043000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.consents (
        user_id uuid NOT NULL,
        client_id text NOT NULL,
        scopes text[] NOT NULL DEFAULT '{}',
        resources text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, client_id),
        CONSTRAINT consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES iam.users (id),
        CONSTRAINT consents_client_id_fkey FOREIGN KEY (client_id) REFERENCES iam.clients (id) ON DELETE CASCADE
      )`);
    await runner.query('CREATE INDEX consents_client_id_idx ON iam.consents (client_id)');
    await runner.query(`
      CREATE TABLE iam.subject_secrets (
        id text PRIMARY KEY,
        secret text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT subject_secrets_id_check CHECK (id = 'pairwise')
      )`);
    await runner.query(`
      ALTER TABLE iam.clients
        ADD CONSTRAINT clients_third_party_check CHECK (
          first_party OR (type <> 'service' AND tokens = 'bearer' AND grants <@ '{authorization_code,refresh_token}'::text[])
        ),
        ADD CONSTRAINT clients_pairwise_check CHECK (subject_type = 'public' OR NOT first_party)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE iam.clients DROP CONSTRAINT clients_pairwise_check, DROP CONSTRAINT clients_third_party_check`);
    await runner.query('DROP TABLE iam.subject_secrets');
    await runner.query('DROP TABLE iam.consents');
  }
}
