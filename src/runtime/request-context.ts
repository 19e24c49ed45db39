import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** The sender of a request, as the platform saw it. Stored with attempts, sessions and audit entries. */
export interface RequestOrigin {
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** The context of one request: log lines and audit entries carry it. */
interface RequestContext {
  /** In problem+json, the log and `iam.audit_log`, so that one leads to the other. */
  readonly correlationId: string;
  /** Null where no request is under way: the command line, and events that are processed later. */
  readonly origin: RequestOrigin | null;
  /**
   * Who acts: `user:<id>`, `client:<id>` (a service), `api_key:<id>`, `admin_token`, `host` (let in by the host's own guard),
   * `wechat` (by a push) or `cli`; null for an anonymous request.
   */
  actor: string | null;
  /** The session in which a signed-in user acts. */
  sessionId: string | null;
}

/** The part of a context that is known before it begins; a missing id is generated. */
interface GivenContext {
  readonly correlationId?: string | undefined;
  readonly origin?: RequestOrigin;
  readonly actor?: string | null;
}

/** What travels with asynchronous work. */
interface Scope {
  readonly request: RequestContext | null;
  /** One of our endpoints answers it: the framework's request. */
  readonly answering?: object;
  /** Statements may take as long as those of an operator's command. */
  readonly isLongJob?: boolean;
}

/** One for all of it: until Node 24 each storage costs every promise of the process, the host's too. */
const storage = new AsyncLocalStorage<Scope>();

/** Runs `work` and all that it starts in a context of its own. */
export function runInContext<T>(work: () => T, context: GivenContext = {}): T {
  const { correlationId = randomUUID(), origin = null, actor = null } = context;
  return storage.run({ request: { correlationId, origin, actor, sessionId: null } }, work);
}

/** Runs background work that a request happens to start, and that has nothing to do with it. */
export function runOutsideContext<T>(work: () => T): T {
  return storage.run({ request: null }, work);
}

/** Runs `work` with a further mark of its scope. */
export function runMarked<T>(mark: Pick<Scope, 'answering' | 'isLongJob'>, work: () => T): T {
  return storage.run({ request: null, ...storage.getStore(), ...mark }, work);
}

/** The marks of the work under way. */
export function currentMarks(): Pick<Scope, 'answering' | 'isLongJob'> {
  return storage.getStore() ?? {};
}

/** The context of the request under way; null in background work. */
export function currentContext(): RequestContext | null {
  return storage.getStore()?.request ?? null;
}

/** That of the request under way, or a new one where there is none. */
export function correlationId(): string {
  return currentContext()?.correlationId ?? randomUUID();
}

/** Notes who acts in the request under way, and in which session if that is known. */
export function setActor(actor: string, sessionId?: string): void {
  const context = currentContext();
  if (context === null) return;
  context.actor = actor;
  if (sessionId !== undefined) context.sessionId = sessionId;
}
