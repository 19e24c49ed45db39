import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** What everything that happens on behalf of one request has in common: log lines and audit entries carry it. */
export interface RequestContext {
  /** In problem+json, the log and `iam.audit_log`, so that one leads to the other. */
  readonly correlationId: string;
  /** Who acts: `user:<id>`, `admin_token`, `host` (let in by the host's own guard) or `cli`; null for a stranger. */
  actor: string | null;
}

/** What is known of a context before it begins; an id is made where there is none. */
interface GivenContext {
  readonly correlationId?: string | undefined;
  readonly actor?: string | null;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` and all that it starts in a context of its own. */
export function runInContext<T>(work: () => T, context: GivenContext = {}): T {
  return storage.run(
    { correlationId: context.correlationId ?? randomUUID(), actor: context.actor ?? null },
    work,
  );
}

/** The context of the request under way; null in background work. */
export function currentContext(): RequestContext | null {
  return storage.getStore() ?? null;
}

/** That of the request under way, or a new one where there is none. */
export function correlationId(): string {
  return storage.getStore()?.correlationId ?? randomUUID();
}

/** Notes who acts in the request under way. */
export function setActor(actor: string): void {
  const context = storage.getStore();
  if (context !== undefined) context.actor = actor;
}
