import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { IamError } from '../errors/iam.error.js';
import type { EventSink, EventSource } from '../http/iam-response.js';
import { Clock } from '../runtime/clock.js';
import { runOutsideContext } from '../runtime/request-context.js';
import { LoginTokens } from './codes-and-tokens.service.js';
import { type LoginListener, LoginWatch } from './login-watch.service.js';
import { type QrLogin, QR_SECONDS, qrStateOf } from './qr-login.js';

const HEARTBEAT_MS = 15_000;
/** Later than any sign-in ends. */
const STREAM_MS = (QR_SECONDS + 60) * 1000;
const TICK_MS = 1_000;
/** Streams of one login, and of this process. */
const PER_LOGIN = 3;
const PER_PROCESS = 10_000;

const goesOn = ['pending', 'scanned', 'confirmed'];

/** A browser that waits: what it keeps is kept ten thousand times. */
class LoginStream implements LoginListener {
  private isOver = false;
  private leave: (() => void) | undefined;

  constructor(
    private readonly sink: EventSink,
    readonly endsAt: number,
  ) {}

  next(login: QrLogin | null): void {
    const state = login === null ? 'expired' : qrStateOf(login);
    if (state !== 'pending') this.sink.send(state, { state });
    if (!goesOn.includes(state)) this.complete();
  }

  /** Keeps proxies from closing the connection. */
  beat(): void {
    this.sink.send('heartbeat', {});
  }

  complete(): void {
    this.sink.end();
    this.isOver = true;
    this.leave?.();
  }

  /** Its place is free once the login has ended: the connection of a client that does not read stays open for longer. */
  whenOver(leave: () => void): void {
    if (this.isOver) leave();
    else this.leave = leave;
  }
}

/** The streams of this process on which browsers wait for their logins. */
@Injectable()
export class LoginStreams implements OnModuleDestroy {
  private readonly counts = new Map<string, number>();
  /** When each stream has its next heartbeat, the next one first. */
  private readonly beats = new Map<LoginStream, number>();
  private tick: NodeJS.Timeout | undefined;

  constructor(
    private readonly watch: LoginWatch,
    private readonly tokens: LoginTokens,
    private readonly clock: Clock,
  ) {}

  onModuleDestroy(): void {
    clearInterval(this.tick);
  }

  /**
   * The states of the login of a watch token as server-sent events. Polling stays enough.
   * @throws IamError `not_found` for a token that is not ours, `rate_limited` when too many streams are open
   */
  open(token: string): EventSource {
    const loginId = this.tokens.read('watch', token);
    if (loginId === null) throw new IamError('not_found', 'not a watch token of ours');
    const count = this.counts.get(loginId) ?? 0;
    if (count >= PER_LOGIN || this.beats.size >= PER_PROCESS)
      throw new IamError('rate_limited', `${count} streams of this login, ${this.beats.size} in all`, {
        retryAfterSeconds: 5,
      });
    return (sink) => this.begin(loginId, sink);
  }

  private begin(loginId: string, sink: EventSink): () => void {
    const now = this.clock.elapsed();
    const stream = new LoginStream(sink, now + STREAM_MS);
    this.countStream(loginId, 1);
    this.beats.set(stream, now + HEARTBEAT_MS);
    this.tick ??= runOutsideContext(() => setInterval(() => this.beat(), TICK_MS).unref());
    const stop = this.watch.listen(loginId, stream);
    const leave = () => {
      if (!this.beats.delete(stream)) return;
      stop();
      this.countStream(loginId, -1);
      if (this.beats.size > 0) return;
      clearInterval(this.tick);
      this.tick = undefined;
    };
    stream.whenOver(leave);
    return leave;
  }

  /** One timer for all: each of its own would keep the context of its request. */
  private beat(): void {
    const now = this.clock.elapsed();
    for (const [stream, at] of this.beats) {
      if (at > now) return;
      this.beats.delete(stream);
      this.beats.set(stream, at + HEARTBEAT_MS);
      if (stream.endsAt < now) stream.complete();
      else stream.beat();
    }
  }

  private countStream(loginId: string, change: 1 | -1): void {
    const count = (this.counts.get(loginId) ?? 0) + change;
    if (count === 0) this.counts.delete(loginId);
    else this.counts.set(loginId, count);
  }
}
