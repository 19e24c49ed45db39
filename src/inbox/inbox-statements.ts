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

/** SQL that a larger statement puts in place of a parameter: a condition for storing at all, and the result. */
export interface InboxInsertParts {
  readonly where?: string;
  readonly result?: string;
}

/** How many parameters `inboxInsertSql` takes. */
export const INBOX_PARAMETERS = 14;

/**
 * `INSERT INTO iam.webhook_events … RETURNING id` whose parameters start at `$first`; composes into a larger statement.
 * No row comes back for an event that is there already.
 */
export function inboxInsertSql(first: number, parts: InboxInsertParts = {}): string {
  const value = (index: number, type: string) => `$${first + index}::${type}`;
  const given = value(8, 'jsonb');
  const result = parts.result === undefined ? given : `COALESCE(${given}, ${parts.result})`;
  return `INSERT INTO iam.webhook_events
      (id, provider, dedupe_key, event, openid, event_at, message, status, result, lease_token, lease_until,
       replay_key, raw, last_error)
    SELECT ${value(0, 'uuid')}, ${value(1, 'text')}, ${value(2, 'text')}, ${value(3, 'text')}, ${value(4, 'text')},
           ${value(5, 'timestamptz')}, ${value(6, 'jsonb')}, ${value(7, 'text')}, ${result}, ${value(9, 'uuid')},
           now() + make_interval(secs => ${value(10, 'double precision')}), ${value(11, 'text')},
           ${value(12, 'bytea')}, ${value(13, 'text')}
    ${parts.where === undefined ? '' : `WHERE ${parts.where}`}
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id`;
}

/** The parameters of `inboxInsertSql`, in order. */
export function inboxParameters(event: InboxEvent, state: InboxState): unknown[] {
  return [
    uuidv7(),
    event.provider,
    event.dedupeKey,
    event.event,
    event.openid,
    event.eventAt,
    JSON.stringify(event.message),
    state.status,
    state.result == null ? null : JSON.stringify(state.result),
    state.leaseToken ?? null,
    state.leaseSeconds ?? null,
    event.replayKey ?? null,
    event.raw == null ? null : Buffer.from(event.raw),
    state.error ?? null,
  ];
}
