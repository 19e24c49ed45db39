ALTER TABLE iam.users
     ADD COLUMN deletion_at timestamptz,
     ADD COLUMN phone_number text,
     ADD COLUMN phone_verified_at timestamptz,
     ADD CONSTRAINT users_phone_check CHECK ((phone_number IS NULL) = (phone_verified_at IS NULL));

CREATE INDEX users_nickname_idx ON iam.users (lower(nickname) text_pattern_ops);

CREATE INDEX users_status_idx ON iam.users (status, id);

CREATE INDEX users_deletion_at_idx ON iam.users (deletion_at) WHERE deletion_at IS NOT NULL;

CREATE INDEX identities_openid_idx ON iam.identities (openid);

CREATE INDEX identities_unionid_idx ON iam.identities (unionid);

CREATE INDEX identities_provider_idx ON iam.identities (provider, user_id);

DROP INDEX iam.user_roles_role_idx;

CREATE INDEX user_roles_role_idx ON iam.user_roles (role, user_id);

CREATE INDEX sessions_client_id_idx ON iam.sessions (client_id, id);

CREATE INDEX sessions_provider_idx ON iam.sessions (provider, id);

CREATE INDEX sessions_method_idx ON iam.sessions (method, id);

CREATE INDEX logins_status_idx ON iam.logins (status, id);

CREATE INDEX logins_error_idx ON iam.logins (error, id) WHERE error IS NOT NULL;

CREATE INDEX logins_provider_idx ON iam.logins (provider, id);

CREATE INDEX webhook_events_status_idx ON iam.webhook_events (status, id);

CREATE INDEX webhook_events_openid_idx ON iam.webhook_events (openid);

CREATE INDEX webhook_events_provider_idx ON iam.webhook_events (provider, id);

CREATE INDEX webhook_events_event_idx ON iam.webhook_events (event, id);

ALTER TABLE iam.roles
     ADD COLUMN description text NOT NULL DEFAULT '',
     ADD COLUMN is_default boolean NOT NULL DEFAULT false;

ALTER TABLE iam.signing_keys
     ADD COLUMN active_at timestamptz NOT NULL DEFAULT now(),
     ADD COLUMN retires_at timestamptz;

ALTER TABLE iam.audit_log ADD COLUMN actor text, ADD COLUMN correlation_id uuid;

CREATE INDEX audit_log_action_idx ON iam.audit_log (action text_pattern_ops, id);

CREATE INDEX audit_log_actor_idx ON iam.audit_log (actor, id);

CREATE INDEX audit_log_provider_idx ON iam.audit_log (provider, id);

CREATE INDEX audit_log_session_id_idx ON iam.audit_log (session_id, id);

CREATE INDEX audit_log_correlation_id_idx ON iam.audit_log (correlation_id);

CREATE INDEX audit_log_at_idx ON iam.audit_log (at);

DROP TRIGGER audit_log_append_only ON iam.audit_log;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR TRUNCATE ON iam.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change();

CREATE TRIGGER audit_log_keeps_the_young BEFORE DELETE ON iam.audit_log
    FOR EACH ROW WHEN (OLD.at > now() - interval '30 days') EXECUTE FUNCTION iam.refuse_audit_change();
