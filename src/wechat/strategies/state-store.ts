import { z } from 'zod';
import { Clock } from '../../runtime/clock.js';
import { constantTimeEqual } from '../../crypto/hash.js';
import { randomAlphanumeric } from '../../crypto/random.js';
import { isRecord } from '../../errors/unknown.js';

/** The attempt that a state belongs to. `clientID` is the appid. */
export interface StateMeta {
  readonly authorizationURL: string;
  readonly tokenURL: string;
  readonly clientID: string;
  readonly callbackURL?: string | undefined;
}

/** Gives the state to send: letters and digits, at most 128. */
type StateStored = (error: Error | null, state?: string) => void;

/** Says whether the state is this browser's; if not, `info` is the challenge of the failure. */
type StateVerified = (error: Error | null, ok: boolean, info?: unknown) => void;

/** A state store of passport-oauth2, in the forms with `meta`. */
export interface WechatStateStore {
  store(request: object, meta: StateMeta, done: StateStored): void;
  verify(request: object, state: string, meta: StateMeta, done: StateVerified): void;
}

/** passport-oauth2 picks the form of a store's methods by the number of their parameters; so must we. */
export function checkStateStore(store: WechatStateStore): WechatStateStore {
  if (store.store.length !== 3)
    throw new TypeError('store.store: expected the parameters (request, meta, done)');
  if (store.verify.length !== 4) {
    throw new TypeError('store.verify: expected the parameters (request, state, meta, done)');
  }
  return store;
}

/** Where and how long the session remembers. */
interface SessionStateStoreOptions {
  /** The key in `request.session`. @default 'wechat:states' */
  readonly key?: string;
  /** The clock, in milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

const stateLength = 32;
const lifetimeMs = 10 * 60 * 1000;
/** Attempts one browser may have under way, in several tabs; the oldest give way. */
const maxAttempts = 10;

const attemptForm = z.object({ state: z.string(), appid: z.string(), expiresAt: z.number() });
const attemptsForm = z.array(attemptForm).catch([]);

type Attempt = z.output<typeof attemptForm>;

/**
 * Keeps the states of a browser's attempts in its session: 190 random bits, ten minutes, each good for one callback, and
 * only for the app it was made for.
 */
export class SessionStateStore implements WechatStateStore {
  private readonly key: string;
  private readonly now: () => number;

  constructor(options: SessionStateStoreOptions = {}) {
    this.key = options.key ?? 'wechat:states';
    this.now = options.now ?? (() => new Clock().system());
  }

  store(request: object, meta: StateMeta, done: StateStored): void {
    const session = sessionOf(request);
    if (session === null) done(sessionMissing());
    else done(null, this.remember(session, meta.clientID));
  }

  verify(request: object, state: string, meta: StateMeta, done: StateVerified): void {
    const session = sessionOf(request);
    if (session === null) done(sessionMissing(), false);
    else if (this.consume(session, state, meta.clientID)) done(null, true);
    else done(null, false, { message: 'state_mismatch' });
  }

  private remember(session: Record<string, unknown>, appid: string): string {
    const state = randomAlphanumeric(stateLength);
    const attempt = { state, appid, expiresAt: this.now() + lifetimeMs };
    session[this.key] = [...this.waiting(session), attempt].slice(-maxAttempts);
    return state;
  }

  private consume(session: Record<string, unknown>, state: string, appid: string): boolean {
    const waiting = this.waiting(session);
    const attempt = waiting.find((candidate) => constantTimeEqual(candidate.state, state));
    session[this.key] = waiting.filter((candidate) => candidate !== attempt);
    return attempt?.appid === appid;
  }

  private waiting(session: Record<string, unknown>): Attempt[] {
    return attemptsForm.parse(session[this.key]).filter((attempt) => attempt.expiresAt > this.now());
  }
}

function sessionOf(request: object): Record<string, unknown> | null {
  const session: unknown = 'session' in request ? request.session : undefined;
  return isRecord(session) ? session : null;
}

function sessionMissing(): TypeError {
  return new TypeError(
    'WeChat sign-in keeps its state in request.session: use express-session before Passport, or pass a `store`',
  );
}
