import { sql, empty, type Sql } from '../../database/sql.js';
import { v7 as uuidv7 } from 'uuid';

/** A verified push as the inbox keeps it. */
export interface InboxEvent {
  /** Slug of the provider row whose webhook received it. */
  readonly provider: string;
  /** Equal for deliveries of the same message, unequal for messages that differ in anything. */
  readonly dedupeKey: string;
  /** `Event` of an event, `MsgType` of a message. */
  readonly event: string;
  /** Whom it concerns; null where the push names nobody. */
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

/** How an event enters the inbox: with its effect in the same statement, leased to the replica that inserts it, or given up. */
export interface InboxState {
  readonly status: 'done' | 'processing' | 'dead';
  /** Why it is given up. */
  readonly error?: string;
  /** What a repeated delivery is answered with. */
  readonly result?: object | null;
  /** Fences the lease: whoever finishes the event must still hold it. */
  readonly leaseToken?: string;
  readonly leaseSeconds?: number;
}

/** SQL of a larger statement: a condition for storing at all, and the result. */
export interface InboxInsertParts {
  readonly where?: Sql;
  readonly result?: Sql;
}

/**
 * `INSERT INTO iam.webhook_events … RETURNING id`; composes into a larger statement. No row comes back for an event that is there
 * already.
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
