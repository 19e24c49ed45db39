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
} from '../../database/define-table.js';
import { v7 as uuidv7 } from 'uuid';
import { sql, empty, type Sql } from '../../database/sql.js';

/**
 * `iam.webhook_events`: events of WeChat, committed before the response to WeChat. Partitioned by the date in the dedupe key;
 * events of plain mode have none, so the partition that they share holds `replay_key` unique.
 */
export const WebhookEventEntity = defineTable('webhook_events', {
  columns: {
    id: uuid,
    /** Slug of the provider row. */
    provider: text,
    dedupe_key: key({ ...text, collation: 'C' }),
    /** See `InboxEvent.replayKey`. */
    replay_key: nullable(text),
    event: text,
    openid: nullable(text),
    /** WeChat's `CreateTime`. */
    event_at: timestamp,
    message: json,
    /** A push that could not be read, as it came. */
    raw: nullable({ type: 'bytea' }),
    /**
     * `processing`: leased by a replica until `lease_until`. `pending`: to be tried again at `lease_until`. `done` and `dead`
     * (failed in the last attempt, or not readable, with an error in the log) are final.
     */
    status: text,
    /** Holds the reply to a repeated delivery. */
    result: nullable(json),
    /** How often it was tried and failed, or its lease ran out. */
    attempts: { ...integer, default: 0 },
    lease_token: nullable(uuid),
    /** No other replica takes the event before this time. */
    lease_until: nullable(timestamp),
    /** Why the last attempt failed. */
    last_error: nullable(text),
    received_at: now,
  },
  checks: {
    webhook_events_dedupe_key_key: "dedupe_key <> ''",
    webhook_events_replay_key_key: "replay_key IS NULL OR dedupe_key < '~'",
    webhook_events_status_check: "status IN ('processing', 'pending', 'done', 'dead')",
    webhook_events_open_check: "status NOT IN ('processing', 'pending') OR lease_until IS NOT NULL",
  },
  indexes: {
    webhook_events_id_idx: ['id'],
    webhook_events_open_idx: { columns: ['lease_until'], where: "status IN ('processing', 'pending')" },
    webhook_events_status_idx: ['status', 'id'],
    webhook_events_openid_idx: ['openid'],
    webhook_events_provider_idx: ['provider', 'id'],
    webhook_events_event_idx: ['event', 'id'],
    webhook_events_received_at_idx: ['received_at'],
  },
});

/** A verified push as the inbox keeps it. */
export interface InboxEvent {
  /** Slug of the provider row whose webhook received it. */
  readonly provider: string;
  /** Equal for deliveries of the same message, unequal for messages that differ in anything; `~2026-01-31:` in front names its day. */
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
