import { Check, Column, CreateDateColumn, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/**
 * `processing`: leased by a replica until `lease_until`. `pending`: to be tried again at `lease_until`. `done` and `dead`
 * (given up after the last attempt, or not readable, with an error in the log) are final.
 */
export type WebhookEventStatus = 'processing' | 'pending' | 'done' | 'dead';

/** A row of `iam.webhook_events`: one event of WeChat, committed before WeChat is told that we have it. */
@Entity({ schema: 'iam', name: 'webhook_events' })
@Unique('webhook_events_dedupe_key_key', ['dedupeKey'])
@Unique('webhook_events_replay_key_key', ['replayKey'])
@Index('webhook_events_open_idx', ['leaseUntil'], { where: "status IN ('processing', 'pending')" })
@Index('webhook_events_status_idx', ['status', 'id'])
@Index('webhook_events_openid_idx', ['openid'])
@Index('webhook_events_provider_idx', ['provider', 'id'])
@Index('webhook_events_event_idx', ['event', 'id'])
@Index('webhook_events_received_at_idx', ['receivedAt'])
@Check('webhook_events_status_check', "status IN ('processing', 'pending', 'done', 'dead')")
@Check('webhook_events_open_check', "status NOT IN ('processing', 'pending') OR lease_until IS NOT NULL")
export class WebhookEventEntity {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  /** Slug of the provider row. */
  @Column({ type: 'text' })
  provider!: string;

  @Column({ type: 'text', name: 'dedupe_key' })
  dedupeKey!: string;

  /** See `InboxEvent.replayKey`. */
  @Column({ type: 'text', name: 'replay_key', nullable: true })
  replayKey!: string | null;

  @Column({ type: 'text' })
  event!: string;

  @Column({ type: 'text', nullable: true })
  openid!: string | null;

  /** WeChat's `CreateTime`. */
  @Column({ type: 'timestamptz', name: 'event_at' })
  eventAt!: Date;

  @Column({ type: 'jsonb' })
  message!: Record<string, unknown>;

  /** A push that could not be read, as it came. */
  @Column({ type: 'bytea', nullable: true })
  raw!: Buffer | null;

  @Column({ type: 'text' })
  status!: WebhookEventStatus;

  /** What a repeated delivery is answered with. */
  @Column({ type: 'jsonb', nullable: true })
  result!: Record<string, unknown> | null;

  /** How often it was tried and failed, or its lease ran out. */
  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  @Column({ type: 'uuid', name: 'lease_token', nullable: true })
  leaseToken!: string | null;

  /** Until when nobody else takes it up. */
  @Column({ type: 'timestamptz', name: 'lease_until', nullable: true })
  leaseUntil!: Date | null;

  /** Why the last attempt failed. */
  @Column({ type: 'text', name: 'last_error', nullable: true })
  lastError!: string | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'received_at', default: () => 'now()' })
  receivedAt!: Date;
}
