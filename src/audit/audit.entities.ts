import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A row of `iam.audit_log`: append-only (triggers refuse UPDATE, and DELETE of what is younger than 30 days), written in the transaction it records. */
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

  /** Whom it concerns; no foreign key, because the log outlives the user. */
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

  /** Who did it, when that is another than `user_id`: see `RequestContext.actor`. */
  @Column({ type: 'text', nullable: true })
  actor!: string | null;

  /** That of the request's log lines and error answer. */
  @Column({ type: 'uuid', name: 'correlation_id', nullable: true })
  correlationId!: string | null;
}

/**
 * A row of `iam.audit_outbox`: an entry that the host's sink has not been given yet. A trigger fills it, see migrations. No
 * foreign key: it would be checked with every entry, and the clean-up removes both.
 */
@Entity({ schema: 'iam', name: 'audit_outbox' })
export class AuditOutboxEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;
}

/** The one row of `iam.audit_delivery`: whether entries are kept for a sink, and which replica gives them to it. */
@Entity({ schema: 'iam', name: 'audit_delivery' })
export class AuditDeliveryEntity {
  @PrimaryColumn({ type: 'text' })
  sink!: string;

  /** Entries are kept for the sink until then; every delivering replica puts it off. */
  @Column({ type: 'timestamptz', name: 'subscribed_until' })
  subscribedUntil!: Date;

  /** Who delivers. */
  @Column({ type: 'uuid', name: 'lease_token', nullable: true })
  leaseToken!: string | null;

  /** From then on another replica may. */
  @Column({ type: 'timestamptz', name: 'lease_until', default: () => 'now()' })
  leaseUntil!: Date;
}

/** A row of `iam.refusals`: refusals of one kind in one hour, until the clean-up makes an audit entry of those that have none. */
@Entity({ schema: 'iam', name: 'refusals' })
@Index('refusals_hour_idx', ['hour'])
export class RefusalEntity {
  /** SHA-256 of what makes refusals alike: action, address, app, reason… */
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
