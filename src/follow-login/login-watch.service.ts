import { Injectable, type MessageEvent, type OnModuleDestroy } from '@nestjs/common';
import { Observable } from 'rxjs';
import { IamError } from '../errors/iam.error.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { FollowTokens } from './codes-and-tokens.service.js';
import { type FollowLogin, followStateOf, QR_SECONDS } from './follow-login.js';
import { FollowLogins } from './follow-logins.service.js';

const TICK_MS = 1_000;
/** New and hinted logins are read together, this long after the first of them. */
const GATHER_MS = 20;
/** A login without a reader for this long is no longer watched. */
const FORGET_MS = 20_000;

type Listener = (login: FollowLogin | null) => void;

/** Follows a login's changes; `onClose` is called when this process goes down, and another one goes on. */
export interface WatchListener {
  readonly onChange: Listener;
  readonly onClose: () => void;
}

interface Waiter {
  readonly resolve: Listener;
  readonly reject: (reason: unknown) => void;
}

interface Watched {
  state: FollowLogin | null | undefined;
  lastUsed: number;
  lastPoll: number;
  readonly once: Set<Waiter>;
  readonly always: Set<WatchListener>;
}

/**
 * The states that browsers wait for: one query per tick for all of this process, none without a browser. A webhook that
 * lands here speeds its login up by `hint`; one that lands on another replica is seen at the next tick.
 */
@Injectable()
export class LoginWatch implements OnModuleDestroy {
  private readonly logger = new IamLogger(LoginWatch.name);
  private readonly watched = new Map<string, Watched>();
  private readonly urgent = new Set<string>();
  private tick: NodeJS.Timeout | undefined;
  private gathering: NodeJS.Timeout | undefined;
  private isClosing = false;

  constructor(
    private readonly follows: FollowLogins,
    private readonly clock: Clock,
  ) {}

  /** The login as of the last tick, or of the next one if it is new here; null when there is no such login. */
  async current(loginId: string): Promise<FollowLogin | null> {
    const entry = this.entryOf(loginId);
    if (entry.state !== undefined) return entry.state;
    return new Promise((resolve, reject) => {
      entry.once.add({ resolve, reject });
      this.hint(loginId);
    });
  }

  /** Tells `listener` of the login now and whenever it changes; the returned function ends that. */
  subscribe(loginId: string, listener: WatchListener): () => void {
    if (this.isClosing) {
      listener.onClose();
      return () => undefined;
    }
    const entry = this.entryOf(loginId);
    entry.always.add(listener);
    if (entry.state === undefined) this.hint(loginId);
    else listener.onChange(entry.state);
    return () => entry.always.delete(listener);
  }

  /** Starts with a state that is known already, so that the first poll costs no query. */
  begin(login: FollowLogin): void {
    this.entryOf(login.id).state = login;
  }

  /** Something has happened to this login: look at once. */
  hint(loginId: string): void {
    if (!this.watched.has(loginId)) return;
    this.urgent.add(loginId);
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      void this.lookAtUrgent();
    }, GATHER_MS);
  }

  /** Milliseconds since this login was last polled here; counts this call as a poll. */
  sinceLastPoll(loginId: string): number {
    const entry = this.entryOf(loginId);
    const now = this.clock.elapsed();
    const elapsed = now - entry.lastPoll;
    entry.lastPoll = now;
    return elapsed;
  }

  /** This process collects the login: the known state is old now. A listener here gets the new one. */
  forget(loginId: string): void {
    const entry = this.watched.get(loginId);
    if (entry === undefined) return;
    if (entry.always.size + entry.once.size === 0) this.watched.delete(loginId);
    else this.hint(loginId);
  }

  /** Polls of the last moments still get a response; no new listener is taken. */
  onModuleDestroy(): void {
    this.isClosing = true;
    clearTimeout(this.tick);
    clearTimeout(this.gathering);
    for (const { once, always } of this.watched.values()) {
      for (const { reject } of once) reject(new IamError('login_interrupted', 'this replica goes down'));
      for (const { onClose } of [...always]) onClose();
    }
    this.watched.clear();
  }

  private entryOf(loginId: string): Watched {
    const known = this.watched.get(loginId);
    if (known !== undefined) {
      known.lastUsed = this.clock.elapsed();
      return known;
    }
    const entry: Watched = {
      state: undefined,
      lastUsed: this.clock.elapsed(),
      lastPoll: Number.NEGATIVE_INFINITY,
      once: new Set(),
      always: new Set(),
    };
    this.watched.set(loginId, entry);
    this.scheduleTick();
    return entry;
  }

  private scheduleTick(): void {
    if (this.isClosing || this.tick !== undefined || this.watched.size === 0) return;
    this.tick = setTimeout(() => {
      this.forgetIdle();
      void this.look([...this.watched.keys()]).finally(() => {
        this.tick = undefined;
        this.scheduleTick();
      });
    }, TICK_MS);
    this.tick.unref();
  }

  private async lookAtUrgent(): Promise<void> {
    const ids = [...this.urgent];
    this.urgent.clear();
    await this.look(ids);
  }

  /** A database that does not respond fails the polls that need it; listeners wait for the next tick. */
  private async look(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const waiting = new Set(ids.filter((id) => isWaiting(this.watched.get(id))));
    try {
      const changed = await this.follows.findChanged(ids, [...waiting]);
      const found = new Map(changed.map((login) => [login.id, login]));
      for (const id of ids) if (found.has(id) || !waiting.has(id)) this.update(id, found.get(id) ?? null);
    } catch (error) {
      this.logger.warn(`waiting logins could not be read: ${String(error)}`);
      this.failPolls(ids, error);
    }
  }

  private failPolls(ids: readonly string[], error: unknown): void {
    for (const id of ids) {
      const once = this.watched.get(id)?.once;
      for (const { reject } of once ?? []) reject(error);
      once?.clear();
    }
  }

  private update(id: string, state: FollowLogin | null): void {
    const entry = this.watched.get(id);
    if (entry === undefined) return;
    const before = entry.state;
    entry.state = state;
    for (const { resolve } of entry.once) resolve(state);
    entry.once.clear();
    const isNews =
      before === undefined || before?.status !== state?.status || before?.is_live !== state?.is_live;
    if (isNews) for (const { onChange } of [...entry.always]) onChange(state);
  }

  private forgetIdle(): void {
    const horizon = this.clock.elapsed() - FORGET_MS;
    for (const [id, entry] of this.watched) {
      if (entry.lastUsed < horizon && entry.always.size === 0 && entry.once.size === 0)
        this.watched.delete(id);
    }
  }
}

/** Only a change of it is worth reading. */
function isWaiting(entry: Watched | undefined): boolean {
  return entry?.state?.status === 'pending' && entry.state.is_live && entry.once.size === 0;
}

const HEARTBEAT_MS = 15_000;
const PER_LOGIN = 3;
const PER_PROCESS = 10_000;

/** `GET /device_authorization/events`: the states of one login as server-sent events. Polling stays enough. */
@Injectable()
export class FollowEvents {
  private readonly open = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly watch: LoginWatch,
    private readonly tokens: FollowTokens,
  ) {}

  /** @throws IamError `not_found` for a token that is not ours, `rate_limited` when too many streams are open */
  stream(token: string): Observable<MessageEvent> {
    const loginId = this.tokens.read('watch', token);
    if (loginId === null) throw new IamError('not_found', 'not a watch token of ours');
    this.checkRoom(loginId);
    return new Observable<MessageEvent>((subscriber) => {
      this.enter(loginId);
      const onChange = (login: FollowLogin | null) => {
        const state = login === null ? 'expired' : followStateOf(login);
        if (state !== 'pending') subscriber.next({ type: state, data: { state } });
        if (!['pending', 'scanned', 'confirmed'].includes(state)) subscriber.complete();
      };
      const heartbeat = setInterval(() => subscriber.next({ type: 'heartbeat', data: {} }), HEARTBEAT_MS);
      const end = setTimeout(() => subscriber.complete(), (QR_SECONDS + 60) * 1000);
      const onClose = () => subscriber.complete();
      const unsubscribe = this.watch.subscribe(loginId, { onChange, onClose });
      return () => {
        clearInterval(heartbeat);
        clearTimeout(end);
        unsubscribe();
        this.leave(loginId);
      };
    });
  }

  private checkRoom(loginId: string): void {
    const streams = this.open.get(loginId) ?? 0;
    if (streams >= PER_LOGIN || this.total >= PER_PROCESS) {
      throw new IamError('rate_limited', `${streams} streams of this login, ${this.total} in all`, {
        retryAfterSeconds: 5,
      });
    }
  }

  private enter(loginId: string): void {
    this.open.set(loginId, (this.open.get(loginId) ?? 0) + 1);
    this.total += 1;
  }

  private leave(loginId: string): void {
    const streams = (this.open.get(loginId) ?? 1) - 1;
    if (streams === 0) this.open.delete(loginId);
    else this.open.set(loginId, streams);
    this.total -= 1;
  }
}
