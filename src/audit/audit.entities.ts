import {
  defineTable,
  integer,
  json,
  key,
  nullable,
  now,
  text,
  timestamp,
  uuid,
} from '../database/define-table.js';

/** `iam.audit_log`: append-only: triggers refuse UPDATE, and DELETE of entries younger than 30 days. Written in the transaction it records. */
export const AuditEntryEntity = defineTable('audit_log', {
  columns: {
    id: key(uuid),
    at: now,
    /** What happened, e.g. `login.authenticated`. */
    action: text,
    /** The user concerned; no foreign key, because the log outlives the user. */
    user_id: nullable(uuid),
    session_id: nullable(uuid),
    client_id: nullable(text),
    provider: nullable(text),
    ip: nullable(text),
    user_agent: nullable(text),
    detail: { ...json, default: () => "'{}'" },
    /** Who acted, if not `user_id`: see `RequestContext.actor`. */
    actor: nullable(text),
    /** The one in the request's log lines and error response. */
    correlation_id: nullable(uuid),
  },
  indexes: {
    audit_log_user_id_idx: ['user_id', 'id'],
    audit_log_action_idx: { synchronize: false },
    audit_log_actor_idx: ['actor', 'id'],
    audit_log_provider_idx: ['provider', 'id'],
    audit_log_session_id_idx: ['session_id', 'id'],
    audit_log_correlation_id_idx: ['correlation_id'],
  },
});

/**
 * `iam.audit_outbox`: entries that the host's sink has not taken yet. A trigger fills it. A foreign key would be checked with
 * every entry.
 */
export const AuditOutboxEntity = defineTable('audit_outbox', { columns: { id: key(uuid) } });

/** The only row of `iam.audit_delivery`: whether entries are kept for a sink, and which replica delivers them. */
export const AuditDeliveryEntity = defineTable('audit_delivery', {
  columns: {
    sink: key(text),
    /** Entries are kept for the sink until then; every delivery extends it. */
    subscribed_until: timestamp,
    /** Of the delivering replica. */
    lease_token: nullable(uuid),
    /** Then another replica may deliver. */
    lease_until: now,
  },
});

/** `iam.refusals`: refusals of one kind in one hour, until the clean-up sums them up in one audit entry. */
export const RefusalEntity = defineTable('refusals', {
  columns: {
    /** SHA-256 of the members that equal refusals share: action, address, app, reason… */
    key: key(text),
    hour: key(timestamp),
    count: { ...integer, default: 1 },
    first_at: now,
    last_at: now,
    action: text,
    user_id: nullable(uuid),
    client_id: nullable(text),
    provider: nullable(text),
    /** The address, or the IPv6 network that counts as one. */
    ip: nullable(text),
    detail: json,
  },
  indexes: { refusals_hour_idx: ['hour'] },
});
