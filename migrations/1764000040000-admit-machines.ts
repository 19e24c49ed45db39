import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** The error of a foreign key, which an array cannot have. */
const refuse = (message: string, table: string): string => `
  RAISE EXCEPTION ${message}
    USING ERRCODE = 'foreign_key_violation', SCHEMA = 'iam', TABLE = '${table}', CONSTRAINT = 'clients_roles_fkey'`;

/** Applications that are machines, and API keys. */
export class AdmitMachines1764000040000 extends ReplicaSafeMigration {
  readonly name = 'AdmitMachines1764000040000';

  protected async apply(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE iam.clients SET grants = '{client_credentials}', redirect_uris = '{}', post_logout_redirect_uris = '{}',
             origins = '{}', providers = '{}'
      WHERE type = 'service'`);
    await runner.query(`
      UPDATE iam.clients SET roles = '{}', grants = array_remove(grants, 'client_credentials') WHERE type <> 'service'`);
    await runner.query(`
      ALTER TABLE iam.clients
        ADD CONSTRAINT clients_service_check CHECK (type <> 'service' OR (grants = '{client_credentials}' AND redirect_uris = '{}' AND id !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')),
        ADD CONSTRAINT clients_person_check CHECK (type = 'service' OR ('client_credentials' <> ALL (grants) AND roles = '{}'))`);
    await this.guardRoles(runner);
    await this.addKeys(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.api_keys');
    await runner.query('DROP TRIGGER roles_keep_for_clients ON iam.roles');
    await runner.query('DROP TRIGGER clients_refuse_unknown_roles ON iam.clients');
    await runner.query('DROP FUNCTION iam.keep_roles_of_clients(), iam.refuse_unknown_roles()');
    await runner.query(
      'ALTER TABLE iam.clients DROP CONSTRAINT clients_service_check, DROP CONSTRAINT clients_person_check',
    );
  }

  /** The lock makes a deletion of the role wait, which then finds the client. */
  private async guardRoles(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION iam.refuse_unknown_roles() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE unknown text;
      BEGIN
        PERFORM FROM iam.roles WHERE name = ANY (NEW.roles) ORDER BY name FOR KEY SHARE;
        SELECT r INTO unknown FROM unnest(NEW.roles) r WHERE NOT EXISTS (SELECT FROM iam.roles WHERE name = r) LIMIT 1;
        IF FOUND THEN ${refuse(`'there is no role "%"', unknown`, 'clients')};
        END IF;
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE TRIGGER clients_refuse_unknown_roles AFTER INSERT OR UPDATE OF roles ON iam.clients
        FOR EACH ROW WHEN (NEW.roles <> '{}') EXECUTE FUNCTION iam.refuse_unknown_roles()`);
    await runner.query(`
      CREATE FUNCTION iam.keep_roles_of_clients() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.name IS DISTINCT FROM OLD.name AND EXISTS (SELECT FROM iam.clients WHERE OLD.name = ANY (roles)) THEN
          ${refuse(`'applications have the role "%"', OLD.name`, 'roles')};
        END IF;
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE TRIGGER roles_keep_for_clients AFTER DELETE OR UPDATE OF name ON iam.roles
        FOR EACH ROW EXECUTE FUNCTION iam.keep_roles_of_clients()`);
  }

  private async addKeys(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.api_keys (
        id uuid PRIMARY KEY,
        user_id uuid,
        client_id text,
        name text NOT NULL,
        prefix text NOT NULL,
        hash text NOT NULL,
        permissions text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        last_used_at timestamptz,
        ended_at timestamptz,
        end_reason text,
        CONSTRAINT api_keys_hash_key UNIQUE (hash),
        CONSTRAINT api_keys_owner_check CHECK (num_nonnulls(user_id, client_id) = 1),
        CONSTRAINT api_keys_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
        CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES iam.users (id),
        CONSTRAINT api_keys_client_id_fkey FOREIGN KEY (client_id) REFERENCES iam.clients (id) ON DELETE CASCADE
      )`);
    await runner.query('CREATE INDEX api_keys_user_id_idx ON iam.api_keys (user_id, id)');
    await runner.query('CREATE INDEX api_keys_client_id_idx ON iam.api_keys (client_id, id)');
    await runner.query('CREATE INDEX api_keys_expires_at_idx ON iam.api_keys (expires_at)');
    await runner.query('CREATE INDEX api_keys_ended_at_idx ON iam.api_keys (ended_at)');
  }
}
