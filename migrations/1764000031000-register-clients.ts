import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** Applications that an administrator registers, beside those of the option `clients`. */
export class RegisterClients1764000031000 extends ReplicaSafeMigration {
  readonly name = 'RegisterClients1764000031000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.clients (
        id text PRIMARY KEY,
        name text NOT NULL,
        logo_uri text,
        client_uri text,
        enabled boolean NOT NULL DEFAULT true,
        type text NOT NULL DEFAULT 'public',
        first_party boolean NOT NULL DEFAULT true,
        redirect_uris text[] NOT NULL DEFAULT '{}',
        post_logout_redirect_uris text[] NOT NULL DEFAULT '{}',
        origins text[] NOT NULL DEFAULT '{}',
        backchannel_logout_uri text,
        grants text[] NOT NULL DEFAULT '{authorization_code,refresh_token}',
        scopes text[],
        resources text[] NOT NULL DEFAULT '{}',
        providers text[] NOT NULL DEFAULT '{}',
        tokens text NOT NULL DEFAULT 'bearer',
        sso boolean NOT NULL DEFAULT false,
        secret_hash text,
        secret_hash_previous text,
        secret_created_at timestamptz,
        jwks jsonb,
        jwks_uri text,
        roles text[] NOT NULL DEFAULT '{}',
        subject_type text NOT NULL DEFAULT 'public',
        sector_identifier_uri text,
        id_token_signed_response_alg text NOT NULL DEFAULT 'RS256',
        access_token_signed_response_alg text NOT NULL DEFAULT 'ES256',
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT clients_id_check CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
        CONSTRAINT clients_type_check CHECK (type IN ('public', 'confidential', 'service')),
        CONSTRAINT clients_tokens_check CHECK (tokens IN ('bearer', 'cookie')),
        CONSTRAINT clients_subject_type_check CHECK (subject_type IN ('public', 'pairwise')),
        CONSTRAINT clients_id_token_alg_check CHECK (id_token_signed_response_alg IN ('RS256', 'ES256')),
        CONSTRAINT clients_access_token_alg_check CHECK (access_token_signed_response_alg IN ('RS256', 'ES256')),
        CONSTRAINT clients_secret_check
          CHECK (type <> 'public' OR (secret_hash IS NULL AND secret_hash_previous IS NULL)),
        CONSTRAINT clients_previous_secret_check CHECK (secret_hash_previous IS NULL OR secret_hash IS NOT NULL),
        CONSTRAINT clients_cookie_check CHECK (tokens = 'bearer' OR type = 'public')
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.clients');
  }
}
