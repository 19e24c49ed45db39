import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A row of `iam.audit_log`: append-only: triggers refuse UPDATE, and DELETE of entries younger than 30 days. Written in the transaction it records. */
@Entity({ schema: 'iam', name: 'audit_log' })
@Index('audit_log_user_id_idx', ['userId', 'id'])
@Index('audit_log_action_idx', { synchronize: false })
@Index('audit_log_actor_idx', ['actor', 'id'])
@Index('audit_log_provider_idx', ['provider', 'id'])
@Index('audit_log_session_id_idx', ['sessionId', 'id'])
@Index('audit_log_correlation_id_idx', ['correlationId'])
@Index('audit_log_at_idx', ['at'])
export class AuditEntryEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'timestamptz', default: () => 'now()' })
  at!: Date;

  /** What happened, e.g. `login.authenticated`. */
  @Column({ type: 'text' })
  action!: string;

  /** The user concerned; no foreign key, because the log outlives the user. */
  @Column({ type: 'uuid', name: 'user_id', nullable: true })
  userId!: string | null;

  @Column({ type: 'uuid', name: 'session_id', nullable: true })
  sessionId!: string | null;

  @Column({ type: 'text', name: 'client_id', nullable: true })
  clientId!: string | null;

  @Column({ type: 'text', nullable: true })
  provider!: string | null;

  @Column({ type: 'text', nullable: true })
  ip!: string | null;

  @Column({ type: 'text', name: 'user_agent', nullable: true })
  userAgent!: string | null;

  @Column({ type: 'jsonb', default: () => "'{}'" })
  detail!: Record<string, unknown>;

  /** Who acted, if not `user_id`: see `RequestContext.actor`. */
  @Column({ type: 'text', nullable: true })
  actor!: string | null;

  /** The one in the request's log lines and error response. */
  @Column({ type: 'uuid', name: 'correlation_id', nullable: true })
  correlationId!: string | null;
}

/**
 * A row of `iam.audit_outbox`: an entry that the host's sink has not taken yet. A trigger fills it. A foreign key would be
 * checked with every entry.
 */
@Entity({ schema: 'iam', name: 'audit_outbox' })
export class AuditOutboxEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;
}

/** The only row of `iam.audit_delivery`: whether entries are kept for a sink, and which replica delivers them. */
@Entity({ schema: 'iam', name: 'audit_delivery' })
export class AuditDeliveryEntity {
  @PrimaryColumn({ type: 'text' })
  sink!: string;

  /** Entries are kept for the sink until then; every delivery extends it. */
  @Column({ type: 'timestamptz', name: 'subscribed_until' })
  subscribedUntil!: Date;

  /** Of the delivering replica. */
  @Column({ type: 'uuid', name: 'lease_token', nullable: true })
  leaseToken!: string | null;

  /** Then another replica may deliver. */
  @Column({ type: 'timestamptz', name: 'lease_until', default: () => 'now()' })
  leaseUntil!: Date;
}

/** A row of `iam.refusals`: refusals of one kind in one hour, until the clean-up sums them up in one audit entry. */
@Entity({ schema: 'iam', name: 'refusals' })
@Index('refusals_hour_idx', ['hour'])
export class RefusalEntity {
  /** SHA-256 of the members that equal refusals share: action, address, app, reason… */
  @PrimaryColumn({ type: 'text' })
  key!: string;

  @PrimaryColumn({ type: 'timestamptz' })
  hour!: Date;

  @Column({ type: 'integer', default: 1 })
  count!: number;

  @Column({ type: 'timestamptz', name: 'first_at', default: () => 'now()' })
  firstAt!: Date;

  @Column({ type: 'timestamptz', name: 'last_at', default: () => 'now()' })
  lastAt!: Date;

  @Column({ type: 'text' })
  action!: string;

  @Column({ type: 'uuid', name: 'user_id', nullable: true })
  userId!: string | null;

  @Column({ type: 'text', name: 'client_id', nullable: true })
  clientId!: string | null;

  @Column({ type: 'text', nullable: true })
  provider!: string | null;

  /** The address, or the IPv6 network that counts as one. */
  @Column({ type: 'text', nullable: true })
  ip!: string | null;

  @Column({ type: 'jsonb' })
  detail!: Record<string, unknown>;
}
