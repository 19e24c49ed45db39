CREATE SCHEMA IF NOT EXISTS iam;

CREATE TABLE iam.identity_providers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL CONSTRAINT identity_providers_slug_key UNIQUE
      CONSTRAINT identity_providers_slug_check CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    name text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    sign_up text NOT NULL DEFAULT 'auto'
      CONSTRAINT identity_providers_sign_up_check CHECK (sign_up IN ('auto', 'bind', 'off')),
    open_app_id text,
    open_app_secret text,
    mp_app_id text,
    mp_app_secret text,
    mp_scope text NOT NULL DEFAULT 'snsapi_userinfo'
      CONSTRAINT identity_providers_mp_scope_check CHECK (mp_scope IN ('snsapi_userinfo', 'snsapi_base')),
    mp_token text,
    mp_token_previous text,
    mp_encoding_aes_key text,
    mp_encoding_aes_key_previous text,
    mp_message_mode text NOT NULL DEFAULT 'safe'
      CONSTRAINT identity_providers_mp_message_mode_check CHECK (mp_message_mode IN ('safe', 'compatible', 'plain')),
    qr_enabled boolean NOT NULL DEFAULT false,
    qr_login_with text NOT NULL DEFAULT 'mp'
      CONSTRAINT identity_providers_qr_login_with_check CHECK (qr_login_with IN ('mp', 'open')),
    qr_confirmation text NOT NULL DEFAULT 'tap'
      CONSTRAINT identity_providers_qr_confirmation_check CHECK (qr_confirmation IN ('tap', 'number', 'none')),
    mini_app_id text,
    mini_app_secret text,
    mobile_app_id text,
    mobile_app_secret text,
    union_scope text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  );

CREATE TABLE iam.users (
    id uuid PRIMARY KEY,
    external_id text CONSTRAINT users_external_id_key UNIQUE,
    nickname text,
    avatar_url text,
    status text NOT NULL DEFAULT 'active'
      CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled', 'merged')),
    merged_into uuid CONSTRAINT users_merged_into_fkey REFERENCES iam.users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_merged_check CHECK ((status = 'merged') = (merged_into IS NOT NULL))
  );

CREATE INDEX users_merged_into_idx ON iam.users (merged_into);

CREATE TABLE iam.unions (
    union_scope text NOT NULL,
    unionid text NOT NULL,
    user_id uuid NOT NULL CONSTRAINT unions_user_id_fkey REFERENCES iam.users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (union_scope, unionid)
  );

CREATE INDEX unions_user_id_idx ON iam.unions (user_id);

CREATE TABLE iam.identities (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT identities_user_id_fkey REFERENCES iam.users (id),
    provider text NOT NULL,
    app_kind text NOT NULL
      CONSTRAINT identities_app_kind_check CHECK (app_kind IN ('open', 'mp', 'mini', 'mobile')),
    appid text NOT NULL,
    openid text NOT NULL,
    union_scope text NOT NULL,
    unionid text,
    profile_read_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identities_appid_openid_key UNIQUE (appid, openid)
  );

CREATE INDEX identities_user_id_idx ON iam.identities (user_id);

CREATE INDEX identities_union_idx ON iam.identities (union_scope, unionid);

CREATE TABLE iam.logins (
    id uuid PRIMARY KEY,
    state_hash text CONSTRAINT logins_state_hash_key UNIQUE,
    wechat_code_hash text CONSTRAINT logins_wechat_code_hash_key UNIQUE,
    status text NOT NULL CONSTRAINT logins_status_check
      CHECK (status IN ('pending', 'authenticated', 'binding', 'consumed', 'denied', 'failed', 'expired')),
    error text,
    provider text NOT NULL,
    method text NOT NULL,
    appid text NOT NULL,
    openid text,
    client_id text NOT NULL,
    redirect_uri text,
    code_challenge text,
    user_id uuid CONSTRAINT logins_user_id_fkey REFERENCES iam.users (id),
    is_new_user boolean NOT NULL DEFAULT false,
    subject jsonb,
    ip text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    redeem_before timestamptz,
    expires_at timestamptz NOT NULL
  );

CREATE INDEX logins_user_id_idx ON iam.logins (user_id);

CREATE INDEX logins_expires_at_idx ON iam.logins (expires_at);

CREATE TABLE iam.sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT sessions_user_id_fkey REFERENCES iam.users (id),
    client_id text NOT NULL,
    login_id uuid NOT NULL CONSTRAINT sessions_login_id_key UNIQUE,
    provider text NOT NULL,
    method text NOT NULL,
    appid text NOT NULL,
    openid text NOT NULL,
    generation integer NOT NULL DEFAULT 0,
    rotated_at timestamptz,
    grace_uses integer NOT NULL DEFAULT 0,
    ip text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    idle_expires_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text
  );

CREATE INDEX sessions_user_id_idx ON iam.sessions (user_id);

CREATE INDEX sessions_expires_at_idx ON iam.sessions (expires_at);

CREATE TABLE iam.signing_keys (
    kid text PRIMARY KEY,
    generation integer NOT NULL CONSTRAINT signing_keys_generation_key UNIQUE,
    algorithm text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_jwk text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );

CREATE TABLE iam.roles (
    name text PRIMARY KEY,
    permissions text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
  );

CREATE TABLE iam.user_roles (
    user_id uuid NOT NULL CONSTRAINT user_roles_user_id_fkey REFERENCES iam.users (id),
    role text NOT NULL CONSTRAINT user_roles_role_fkey REFERENCES iam.roles (name),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, role)
  );

CREATE INDEX user_roles_role_idx ON iam.user_roles (role);

CREATE TABLE iam.audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,
    user_id uuid,
    session_id uuid,
    client_id text,
    provider text,
    ip text,
    user_agent text,
    detail jsonb NOT NULL DEFAULT '{}'
  );

CREATE INDEX audit_log_user_id_idx ON iam.audit_log (user_id, id);

CREATE FUNCTION iam.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'iam.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
    END
  $$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON iam.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION iam.refuse_audit_change();
