import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import { Clock } from '../runtime/clock.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { SingleFlight } from '../runtime/single-flight.js';
import type { LoginStatus } from '../sign-in/login.entity.js';
import type { QrLogin } from './qr-login.js';
import { QrLogins } from './qr-logins.service.js';

const TICK_MS = 1_000;
/** A tick that was planned longer ago says that this process has been asleep, or goes down. */
const LATE_MS = 3_000;
/** New and hinted logins are read together, this long after the first of them. */
const GATHER_MS = 20;
/** A login without a reader for this long is no longer watched. */
const FORGET_MS = 20_000;

/** Is told of a login now and whenever it changes. */
export interface LoginListener {
  /** Null: there is no such login. */
  next(login: QrLogin | null): void;
  /** This process goes down, and another one goes on. */
  complete(): void;
}

/** Ten thousand browsers may wait here, so a listener is one object. */
interface Watched {
  state: QrLogin | null | undefined;
  /** Of the reading or note that gave the state, by the order in which they began; one from before this entry gives none. */
  turn: number;
  lastUsed: number;
  lastPoll: number;
  readonly listeners: LoginListener[];
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
  private turns = 0;
  private tick: NodeJS.Timeout | undefined;
  /** When the last tick was planned. */
  private plannedAt = Number.NEGATIVE_INFINITY;
  private readonly looking = new SingleFlight<void>();
  private gathering: Promise<ReadonlyMap<string, QrLogin>> | undefined;
  private interruption = new AbortController();
  private isClosing = false;

  constructor(
    private readonly logins: QrLogins,
    private readonly clock: Clock,
  ) {}

  /** The login as of the last tick, or as it is now if it is new here; null when there is no such login. */
  async current(loginId: string): Promise<QrLogin | null> {
    const entry = this.entryOf(loginId);
    if (this.clock.elapsed() - this.plannedAt > LATE_MS) await this.lookAtAll();
    if (entry.state !== undefined) return entry.state;
    const found = await this.lookSoon(loginId);
    return this.watched.get(loginId)?.state ?? found.get(loginId) ?? null;
  }

  /** Tells `listener` of the login until the returned function is called. */
  listen(loginId: string, listener: LoginListener): () => void {
    if (this.isClosing) {
      listener.complete();
      return () => undefined;
    }
    const { state, listeners } = this.entryOf(loginId);
    listeners.push(listener);
    if (state === undefined) this.hint(loginId);
    else listener.next(state);
    return () => {
      const at = listeners.indexOf(listener);
      if (at !== -1) listeners.splice(at, 1);
    };
  }

  /** Starts with a state that is known already, so that the first poll costs no query. */
  begin(login: QrLogin): void {
    this.entryOf(login.id).state = login;
  }

  /** This process has changed this login: browsers that wait here are told without a query. A state that is not known is read. */
  note(loginId: string, change: Pick<QrLogin, 'status' | 'openid'> & Partial<QrLogin>): void {
    const known = this.watched.get(loginId)?.state;
    if (known?.is_live === true && isBefore(known.status, change.status))
      this.update(loginId, { ...known, ...change });
    else this.hint(loginId);
  }

  /** Something has happened to this login: look at once. */
  hint(loginId: string): void {
    if (this.watched.has(loginId)) void this.lookSoon(loginId).catch(() => undefined);
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
    if (this.watched.get(loginId)?.listeners.length === 0) this.watched.delete(loginId);
    else this.hint(loginId);
  }

  /** Polls of the last moments still get a response; no new listener is taken. */
  onModuleDestroy(): void {
    this.isClosing = true;
    clearTimeout(this.tick);
    this.interruption.abort();
    this.interruption = new AbortController();
    for (const { listeners } of this.watched.values()) [...listeners].forEach((each) => each.complete());
    this.watched.clear();
  }

  private entryOf(loginId: string): Watched {
    const lastUsed = this.clock.elapsed();
    const known = this.watched.get(loginId);
    if (known !== undefined) {
      known.lastUsed = lastUsed;
      return known;
    }
    const lastPoll = Number.NEGATIVE_INFINITY;
    const entry: Watched = { state: undefined, turn: this.turns + 1, lastUsed, lastPoll, listeners: [] };
    this.watched.set(loginId, entry);
    this.scheduleTick();
    return entry;
  }

  private scheduleTick(): void {
    if (this.isClosing || this.tick !== undefined || this.watched.size === 0) return;
    this.plannedAt = this.clock.elapsed();
    this.tick = setTimeout(() => {
      void this.lookAtAll().then(() => {
        this.tick = undefined;
        this.scheduleTick();
      });
    }, TICK_MS);
    this.tick.unref();
  }

  /** Where it fails, those who wait go by what is known until the next tick. */
  private lookAtAll(): Promise<void> {
    return this.looking.run('', async () => {
      this.forgetIdle();
      await this.look([...this.watched.keys()]).catch(() => undefined);
    });
  }

  private lookSoon(loginId: string): Promise<ReadonlyMap<string, QrLogin>> {
    this.urgent.add(loginId);
    return (this.gathering ??= this.gather(this.interruption.signal));
  }

  private async gather(signal: AbortSignal): Promise<ReadonlyMap<string, QrLogin>> {
    try {
      await delay(GATHER_MS, undefined, { signal });
    } catch (cause) {
      throw new IamError('login_interrupted', 'this replica goes down', { cause });
    } finally {
      this.gathering = undefined;
    }
    const ids = [...this.urgent];
    this.urgent.clear();
    return this.look(ids);
  }

  /** The logins of these, but for those of which only a change is worth reading. */
  private async look(ids: readonly string[]): Promise<ReadonlyMap<string, QrLogin>> {
    const turn = (this.turns += 1);
    const waiting = new Set(ids.filter((id) => isWaiting(this.watched.get(id))));
    try {
      const changed = await this.logins.findChanged(ids, [...waiting]);
      const found = new Map(changed.map((login) => [login.id, login]));
      for (const id of ids)
        if (found.has(id) || !waiting.has(id)) this.update(id, found.get(id) ?? null, turn);
      return found;
    } catch (error) {
      this.logger.warn(`waiting logins could not be read: ${String(error)}`);
      throw error;
    }
  }

  /** A reading that ends late undoes nothing that has been noted or read since it began. */
  private update(id: string, state: QrLogin | null, turn = (this.turns += 1)): void {
    const entry = this.watched.get(id);
    if (entry === undefined || entry.turn > turn) return;
    const before = entry.state;
    entry.state = state;
    entry.turn = turn;
    const isNews =
      before === undefined || before?.status !== state?.status || before?.is_live !== state?.is_live;
    // A listener may stop listening meanwhile.
    if (isNews) [...entry.listeners].forEach((each) => each.next(state));
  }

  private forgetIdle(): void {
    const horizon = this.clock.elapsed() - FORGET_MS;
    for (const [id, { lastUsed, listeners }] of this.watched)
      if (lastUsed < horizon && listeners.length === 0) this.watched.delete(id);
  }
}

const steps: readonly LoginStatus[] = ['pending', 'scanned', 'confirmed', 'authenticated'];

/** A repeated push may be about a step that others have taken the login beyond. */
function isBefore(known: LoginStatus, next: LoginStatus): boolean {
  return steps.includes(known) && steps.indexOf(known) < steps.indexOf(next);
}

function isWaiting(entry: Watched | undefined): boolean {
  return entry?.state?.status === 'pending' && entry.state.is_live;
}
