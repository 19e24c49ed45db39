/** An entry of `iam.audit_log`, as a host's sink is given it. */
export interface IamAuditEntry {
  /** UUID version 7: the key by which a receiver knows an entry that it is given twice. */
  readonly id: string;
  readonly at: Date;
  /** What happened, e.g. `login.succeeded`. */
  readonly action: string;
  /** Whom it concerns. */
  readonly userId: string | null;
  /** The session that it concerns, otherwise the one in which somebody acts. */
  readonly sessionId: string | null;
  readonly clientId: string | null;
  readonly provider: string | null;
  /** From where the request came that caused it; null where none did. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Who did it: `user:<id>`, `admin_token`, `host`, `wechat` (by a push) or `cli`; null for a stranger, and where nobody asked. */
  readonly actor: string | null;
  readonly correlationId: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Where the host takes audit entries to, e.g. its log pipeline: every one that is committed from the first start with a sink
 * on, at least once, from one replica at a time. Those of one call are in the order of their ids.
 */
export interface IamAuditSink {
  /** An error makes the module offer the same entries again later. */
  write(entries: readonly IamAuditEntry[]): Promise<void> | void;
}
