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

  /** What happened, e.g. `login.succeeded`. */
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
