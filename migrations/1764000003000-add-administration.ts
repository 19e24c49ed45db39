import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

const statements = [
  // Administration: what lists are searched and filtered by, at a million users without a sequential scan.
  `ALTER TABLE iam.users
     ADD COLUMN deletion_at timestamptz,
     ADD COLUMN phone_number text,
     ADD COLUMN phone_verified_at timestamptz,
     ADD CONSTRAINT users_phone_check CHECK ((phone_number IS NULL) = (phone_verified_at IS NULL))`,
  `CREATE INDEX users_nickname_idx ON iam.users (lower(nickname) text_pattern_ops)`,
  `CREATE INDEX users_status_idx ON iam.users (status, id)`,
  `CREATE INDEX users_deletion_at_idx ON iam.users (deletion_at) WHERE deletion_at IS NOT NULL`,
  `CREATE INDEX identities_openid_idx ON iam.identities (openid)`,
  `CREATE INDEX identities_unionid_idx ON iam.identities (unionid)`,
  `CREATE INDEX identities_provider_idx ON iam.identities (provider, user_id)`,
  `DROP INDEX iam.user_roles_role_idx`,
  `CREATE INDEX user_roles_role_idx ON iam.user_roles (role, user_id)`,
  `CREATE INDEX sessions_client_id_idx ON iam.sessions (client_id, id)`,
  `CREATE INDEX sessions_provider_idx ON iam.sessions (provider, id)`,
  `CREATE INDEX sessions_method_idx ON iam.sessions (method, id)`,
  `CREATE INDEX logins_status_idx ON iam.logins (status, id)`,
  `CREATE INDEX logins_error_idx ON iam.logins (error, id) WHERE error IS NOT NULL`,
  `CREATE INDEX logins_provider_idx ON iam.logins (provider, id)`,
  `CREATE INDEX webhook_events_status_idx ON iam.webhook_events (status, id)`,
  `CREATE INDEX webhook_events_openid_idx ON iam.webhook_events (openid)`,
  `CREATE INDEX webhook_events_provider_idx ON iam.webhook_events (provider, id)`,
  `CREATE INDEX webhook_events_event_idx ON iam.webhook_events (event, id)`,

  // What a link by redirect ended in, for whoever asks again with the same state.
  `ALTER TABLE iam.logins ADD COLUMN linked_identity_id uuid`,
  // A scan by which a signed-in user links an identity; it can never become a session.
  `ALTER TABLE iam.logins
     ADD COLUMN link_session_id uuid,
     ADD CONSTRAINT logins_link_check CHECK
       (link_session_id IS NULL OR (user_id IS NOT NULL AND status NOT IN ('authenticated', 'binding')))`,
  `CREATE INDEX logins_openid_idx ON iam.logins (openid)
     WHERE openid IS NOT NULL AND (user_id IS NULL OR link_session_id IS NOT NULL)`,

  `ALTER TABLE iam.roles
     ADD COLUMN description text NOT NULL DEFAULT '',
     ADD COLUMN is_default boolean NOT NULL DEFAULT false`,

  `ALTER TABLE iam.signing_keys
     ADD COLUMN active_at timestamptz NOT NULL DEFAULT now(),
     ADD COLUMN retires_at timestamptz`,

  // Audit: who did it and under which correlation id; old entries may go, young ones never.
  `ALTER TABLE iam.audit_log ADD COLUMN actor text, ADD COLUMN correlation_id uuid`,
  `CREATE INDEX audit_log_action_idx ON iam.audit_log (action text_pattern_ops, id)`,
  `CREATE INDEX audit_log_actor_idx ON iam.audit_log (actor, id)`,
  `CREATE INDEX audit_log_provider_idx ON iam.audit_log (provider, id)`,
  `CREATE INDEX audit_log_session_id_idx ON iam.audit_log (session_id, id)`,
  `CREATE INDEX audit_log_correlation_id_idx ON iam.audit_log (correlation_id)`,
  `CREATE INDEX audit_log_at_idx ON iam.audit_log (at)`,
  `DROP TRIGGER audit_log_append_only ON iam.audit_log`,
  `CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON iam.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change()`,
  `CREATE TRIGGER audit_log_keeps_the_young BEFORE DELETE ON iam.audit_log
    FOR EACH ROW WHEN (OLD.at > now() - interval '30 days') EXECUTE FUNCTION iam.refuse_audit_change()`,
];

/** What administration, account self-service and key rotation need. */
export class AddAdministration1764000003000 extends ReplicaSafeMigration {
  readonly name = 'AddAdministration1764000003000';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER audit_log_keeps_the_young ON iam.audit_log');
    await runner.query('DROP TRIGGER audit_log_append_only ON iam.audit_log');
    await runner.query(`CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON iam.audit_log
      FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change()`);
    await runner.query('ALTER TABLE iam.audit_log DROP COLUMN correlation_id, DROP COLUMN actor');
    await runner.query(`DROP INDEX iam.audit_log_action_idx, iam.audit_log_at_idx, iam.audit_log_provider_idx,
      iam.audit_log_session_id_idx`);
    await runner.query('ALTER TABLE iam.signing_keys DROP COLUMN retires_at, DROP COLUMN active_at');
    await runner.query('ALTER TABLE iam.roles DROP COLUMN is_default, DROP COLUMN description');
    await runner.query('DROP INDEX iam.user_roles_role_idx');
    await runner.query('CREATE INDEX user_roles_role_idx ON iam.user_roles (role)');
    await runner.query(`DROP INDEX iam.sessions_client_id_idx, iam.sessions_provider_idx, iam.sessions_method_idx,
      iam.logins_error_idx, iam.logins_provider_idx, iam.webhook_events_provider_idx, iam.webhook_events_event_idx`);
    await runner.query(`DROP INDEX iam.webhook_events_openid_idx, iam.webhook_events_status_idx, iam.logins_openid_idx, iam.logins_status_idx,
      iam.identities_provider_idx, iam.identities_unionid_idx, iam.identities_openid_idx, iam.users_status_idx, iam.users_nickname_idx`);
    await runner.query('ALTER TABLE iam.logins DROP COLUMN link_session_id, DROP COLUMN linked_identity_id');
    await runner.query(`ALTER TABLE iam.users
      DROP COLUMN deletion_at, DROP COLUMN phone_verified_at, DROP COLUMN phone_number`);
  }
}
