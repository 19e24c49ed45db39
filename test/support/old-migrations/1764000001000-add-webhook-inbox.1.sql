CREATE TABLE iam.webhook_events (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    dedupe_key text NOT NULL CONSTRAINT webhook_events_dedupe_key_key UNIQUE,
    event text NOT NULL,
    openid text,
    event_at timestamptz NOT NULL,
    message jsonb NOT NULL,
    status text NOT NULL
      CONSTRAINT webhook_events_status_check CHECK (status IN ('processing', 'pending', 'done', 'dead')),
    result jsonb,
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_events_open_check CHECK (status NOT IN ('processing', 'pending') OR lease_until IS NOT NULL)
  );

CREATE INDEX webhook_events_open_idx ON iam.webhook_events (lease_until) WHERE status IN ('processing', 'pending');

CREATE INDEX webhook_events_received_at_idx ON iam.webhook_events (received_at);

ALTER TABLE iam.identities ADD COLUMN follows boolean, ADD COLUMN follow_changed_at timestamptz;
