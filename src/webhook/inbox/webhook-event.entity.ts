import { Check, Column, CreateDateColumn, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { sql, empty, type Sql } from '../../database/sql.js';

/**
 * `processing`: leased by a replica until `lease_until`. `pending`: to be tried again at `lease_until`. `done` and `dead`
 * (failed in the last attempt, or not readable, with an error in the log) are final.
 */
export type WebhookEventStatus = 'processing' | 'pending' | 'done' | 'dead';

/** A row of `iam.webhook_events`: one event of WeChat, committed before the response to WeChat. */
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

  /** Holds the reply to a repeated delivery. */
  @Column({ type: 'jsonb', nullable: true })
  result!: Record<string, unknown> | null;

  /** How often it was tried and failed, or its lease ran out. */
  @Column({ type: 'integer', default: 0 })
  attempts!: number;

  @Column({ type: 'uuid', name: 'lease_token', nullable: true })
  leaseToken!: string | null;

  /** No other replica takes the event before this time. */
  @Column({ type: 'timestamptz', name: 'lease_until', nullable: true })
  leaseUntil!: Date | null;

  /** Why the last attempt failed. */
  @Column({ type: 'text', name: 'last_error', nullable: true })
  lastError!: string | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'received_at', default: () => 'now()' })
  receivedAt!: Date;
}

/** A verified push as the inbox keeps it. */
export interface InboxEvent {
  /** Slug of the provider row whose webhook received it. */
  readonly provider: string;
  /** Equal for deliveries of the same message, unequal for messages that differ in anything. */
  readonly dedupeKey: string;
  /** `Event` of an event, `MsgType` of a message. */
  readonly event: string;
  /** The person whom it concerns; null where the push names none. */
  readonly openid: string | null;
  /** WeChat's `CreateTime`. */
  readonly eventAt: Date;
  /** The flat message; WeChat's own names. */
  readonly message: Readonly<Record<string, unknown>>;
  /** A push that could not be read, as it came. */
  readonly raw?: Uint8Array | null;
  /** Plain mode: another event under the same signature, timestamp and nonce is forged and violates a constraint. */
  readonly replayKey?: string | null;
}

/** How an event enters the inbox: with its effect in the same statement, leased to the replica that inserts it, or dead. */
export interface InboxState {
  readonly status: 'done' | 'processing' | 'dead';
  /** Why it is dead. */
  readonly error?: string;
  /** Holds the reply to a repeated delivery. */
  readonly result?: object | null;
  /** Fences the lease: only its holder can finish the event. */
  readonly leaseToken?: string;
  readonly leaseSeconds?: number;
}

/** SQL of a larger statement: the condition for storing the event, and its result. */
interface InboxInsertParts {
  readonly where?: Sql;
  readonly result?: Sql;
}

/**
 * `INSERT INTO iam.webhook_events … RETURNING id`; composes into a larger statement. Returns no row for an event that is
 * there already.
 */
export function insertInboxEvent(event: InboxEvent, state: InboxState, parts: InboxInsertParts = {}): Sql {
  const given = sql`${state.result == null ? null : JSON.stringify(state.result)}::jsonb`;
  const result = parts.result === undefined ? given : sql`COALESCE(${given}, ${parts.result})`;
  return sql`INSERT INTO iam.webhook_events
      (id, provider, dedupe_key, event, openid, event_at, message, status, result, lease_token, lease_until,
       replay_key, raw, last_error)
    SELECT ${uuidv7()}::uuid, ${event.provider}::text, ${event.dedupeKey}::text, ${event.event}::text, ${event.openid}::text,
           ${event.eventAt}::timestamptz, ${JSON.stringify(event.message)}::jsonb, ${state.status}::text, ${result},
           ${state.leaseToken ?? null}::uuid, now() + make_interval(secs => ${state.leaseSeconds ?? null}::double precision),
           ${event.replayKey ?? null}::text, ${event.raw == null ? null : Buffer.from(event.raw)}::bytea, ${state.error ?? null}::text
    ${parts.where === undefined ? empty : sql`WHERE ${parts.where}`}
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id`;
}
